#!/usr/bin/env bash
# The status page in a headless Chromium, every button pressed. Skips, saying so, where there is none. With a folder as
# argument it leaves pictures of the page there.
set -euo pipefail

chromium=
for name in ${CHROMIUM:-} chromium chromium-browser google-chrome; do
  chromium=$(command -v "$name") && break
done
[[ -n $chromium ]] || { echo "SKIPPED: the status page: there is no Chromium" >&2; exit 0; }
shots=()
[[ -z ${1:-} ]] || shots=(--shots "$1")
manifest=$(cd "$(dirname "$0")/.." && pwd)/Cargo.toml
page=(cargo run --quiet --manifest-path "$manifest" --example status-page --)
# Where `.ci/run` built it already.
[[ -z ${BUILT:-} ]] || page=("$BUILT/examples/status-page")
timeout 600 "${page[@]}" --chromium "$chromium" "${shots[@]}"
