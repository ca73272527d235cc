#!/usr/bin/env bash
# Runs the official JavaScript and Python SDKs against the stand-in. Needs cargo; skips, saying so, whatever
# cannot run for want of node, python or a package registry.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
servers=()

clean_up() {
  stop
  rm -rf "$work"
}
trap clean_up EXIT

skip() {
  echo "SKIPPED: $*"
}

# Starts a server; sets `url` and `log`.
start() {
  log=$work/server-${#servers[@]}.log
  # Emptied here and not by the redirection, which may come after the first look at it.
  : >"$log"
  "$binary" --listen 127.0.0.1:0 "$@" >"$log" &
  servers+=($!)
  for _ in $(seq 100); do
    url=$(sed -n 's/^HTTP *//p' "$log")
    [[ -n $url ]] && return
    sleep 0.1
  done
  echo "the server did not start" >&2
  return 1
}

# Stops all of them.
stop() {
  for server in "${servers[@]}"; do
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  done
  servers=()
}

with_node() {
  command -v node >/dev/null && command -v npm >/dev/null || { skip "JavaScript SDK: node and npm are needed"; return; }
  mkdir "$work/node"
  cp "$here"/*.mjs "$here/package.json" "$work/node/"
  (cd "$work/node" && npm install --no-fund --no-audit --loglevel=error >"$work/npm.log" 2>&1) ||
    { skip "JavaScript SDK: npm could not install it"; tail -n 3 "$work/npm.log"; return; }
  # The SDK uses a WebSocket token again when it reconnects.
  start --no-single-use
  echo "== JavaScript"
  (cd "$work/node" && timeout 90 node node.mjs "$url") || { cat "$work"/server-*.log; return 1; }
  stop
  echo "== JavaScript: the scenarios of the SDK's own tests"
  # They log in more often than the service allows.
  start --no-single-use --no-rate-limit
  local usual=$url
  start --no-single-use --no-rate-limit --recovery-timeout 1 --idle-timeout 3
  (cd "$work/node" && timeout 180 node scenarios.mjs "$usual" "$url") || { cat "$work"/server-*.log; return 1; }
  stop
}

with_python() {
  command -v python3 >/dev/null || { skip "Python SDK: python3 is needed"; return; }
  python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 || { skip "Python SDK: no virtual environment"; return; }
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >"$work/pip.log" 2>&1 ||
    { skip "Python SDK: pip could not install it"; tail -n 3 "$work/pip.log"; return; }
  # The SDK knows its subscription by a header the service sent until about 2022.
  start --subscription-id-header
  echo "== Python"
  timeout 90 "$work/venv/bin/python" "$here/python.py" "$url" || { cat "$work"/server-*.log; return 1; }
  stop
}

cargo build --quiet --manifest-path "$here/../Cargo.toml"
target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$here/../Cargo.toml" |
  sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
binary=$target/debug/ringcentral-ws-gateway
with_node
with_python
