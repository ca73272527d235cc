"""Prints each SMS as it comes. The credentials are in the environment, and `ringcentral-ws` is on the PATH."""
import json
import signal
import subprocess
import sys

tail = subprocess.Popen(["ringcentral-ws", "tail", "--json", "sms"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
for name in (signal.SIGINT, signal.SIGTERM):
    signal.signal(name, lambda *_: tail.terminate())  # it ends in order, and `closed` comes
for line in map(json.loads, tail.stdout):
    if line["event"] == "notification":
        print(line["body"]["from"]["phoneNumber"], line["body"]["subject"], flush=True)
    elif line["event"] == "gap":
        print("messages may be missing:", line["message"], file=sys.stderr)
    elif line["event"] == "closed":
        print("the end:", line.get("message", line["reason"]), file=sys.stderr)
sys.exit(tail.wait())
