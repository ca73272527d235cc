"""Runs a program against the stand-in: python3 stand_in.py python3 tail_sms.py

SMS arrive before, during and after an outage. When the program has printed the last one it is asked to end, and the
books of the server are shown. `ringcentral-ws` is on the PATH.
"""
import json
import os
import subprocess
import sys
import time
import urllib.request

stand_in = subprocess.Popen(["ringcentral-ws", "stand-in", "--quiet"], stdout=subprocess.PIPE, text=True)
url = next(line.split()[1] for line in stand_in.stdout if line.startswith("HTTP "))


def gateway(name, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/_gateway/{name}", data, timeout=10) as answer:
        return json.load(answer)


login = gateway("credentials")
names = {"RC_SERVER_URL": "server", "RC_APP_CLIENT_ID": "client_id", "RC_APP_CLIENT_SECRET": "client_secret", "RC_USER_JWT": "jwt"}
env = {**os.environ, **{name: login[key] for name, key in names.items()}}
program = subprocess.Popen(sys.argv[1:], env=env, stdout=subprocess.PIPE, text=True)
while not gateway("subscriptions"):
    time.sleep(0.05)

gateway("sms", {"text": "before the outage"})
gateway("drop", {})
gateway("sms", {"text": "during the outage"})
while gateway("observations")["recoveries"] == 0:
    time.sleep(0.05)
gateway("sms", {"text": "after the outage"})

for line in program.stdout:
    print(line, end="")
    if "after the outage" in line:
        program.terminate()
books = gateway("observations")
print("notifications", books["notifications"], "replayed", books["replayed"], "lost", books["lost"])
print("subscriptions left", len(gateway("subscriptions")))
stand_in.terminate()
sys.exit(program.wait())
