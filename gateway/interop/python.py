"""The official Python SDK against the stand-in: log in, call REST, subscribe, receive. Takes the server's URL."""

import asyncio
import json
import sys
import urllib.request

from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

SERVER = sys.argv[1]
FILTER = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS"


def control(name, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{SERVER}/_gateway/{name}", data=data, timeout=10) as response:
        return json.load(response)


async def session(sdk):
    client = sdk.create_web_socket_client()
    subscribed, received = asyncio.Event(), asyncio.Queue()
    client.on(WebSocketEvents.subscriptionCreated, lambda _: subscribed.set())
    client.on(WebSocketEvents.receiveSubscriptionNotification, received.put_nowait)
    # The call that connects returns when the connection ends.
    connection = asyncio.create_task(client.create_new_connection())
    while not client._is_ready:
        await asyncio.sleep(0.01)
    details = json.loads(client.get_connection_info()["connection_details"])
    assert details[0]["type"] == "ConnectionDetails", details
    print("connected")
    await client.create_subscription([FILTER])
    await subscribed.wait()
    await asyncio.to_thread(control, "sms", {"text": "Hello, Python"})
    frame = await received.get()
    assert frame[1]["body"]["subject"] == "Hello, Python", frame
    print("subscribed, received")
    await client.send_message([{"type": "Heartbeat", "messageId": "heartbeat/1"}])
    await client.close_connection()
    await asyncio.gather(connection, return_exceptions=True)


def main():
    credentials = control("credentials")
    sdk = SDK(credentials["client_id"], credentials["client_secret"], SERVER)
    platform = sdk.platform()
    platform.login(jwt=credentials["jwt"])
    extension = platform.get("/restapi/v1.0/account/~/extension/~").json_dict()
    assert extension["extensionNumber"] == "101", extension
    print("logged in as", extension["name"])
    asyncio.run(asyncio.wait_for(session(sdk), 20))
    platform.logout()
    assert control("connections") == []
    print("logged out")


main()
