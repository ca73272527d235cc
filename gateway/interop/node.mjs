// The official JavaScript SDK against the stand-in: log in, call REST over the socket, subscribe, receive,
// recover after a cut. Takes the server's URL.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import RingCentral from '@rc-ex/core';
import WebSocketExtension, { Events } from '@rc-ex/ws';

const server = process.argv[2];
const control = async (name, body) => {
  const response = await fetch(`${server}/_gateway/${name}`, {
    method: body === undefined ? 'GET' : 'POST',
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.equal(response.status, 200, `${name}: ${response.status}`);
  return response.json();
};
const within = (what, promise) =>
  Promise.race([promise, sleep(20_000, undefined, { ref: false }).then(() => assert.fail(`waited in vain for ${what}`))]);

const credentials = await control('credentials');
const rc = new RingCentral({
  server,
  clientId: credentials.client_id,
  clientSecret: credentials.client_secret,
});
await rc.authorize({ jwt: credentials.jwt });
console.log('logged in');

const Extension = WebSocketExtension.default ?? WebSocketExtension;
const ws = new Extension({ restOverWebSocket: true, autoRecover: { enabled: true, checkInterval: () => 200, pingServerInterval: 60_000 } });
await rc.installExtension(ws);
assert.equal(ws.connectionDetails.recoveryBufferSize, 100);
const extension = await rc.restapi().account().extension().get();
assert.equal(extension.extensionNumber, '101');
const after = await control('observations');
assert.equal(after.requests, 1, 'the call went over the socket');
console.log(`connected, REST over the socket as ${extension.name}`);

const received = [];
let arrived = () => {};
const subscription = await ws.subscribe(
  ['/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS'],
  (event) => {
    received.push(event.body.subject);
    arrived();
  },
);
const reception = async (text) => {
  const arrival = new Promise((resolve) => {
    arrived = () => received.includes(text) && resolve();
  });
  await control('sms', { text });
  await within(text, arrival);
};
const id = subscription.subscriptionInfo.id;
await reception('before the cut');
console.log('subscribed, received');

const recovery = new Promise((resolve, reject) => {
  ws.eventEmitter.on(Events.autoRecoverSuccess, resolve);
  ws.eventEmitter.on(Events.autoRecoverFailed, () => reject(new Error('recovery failed')));
});
await control('drop', {});
// This SDK attaches its listener a moment after ConnectionDetails and so may miss what is replayed in the
// same breath. The stand-in is judged by what it sent.
await control('sms', { text: 'during the outage' });
await within('recovery', recovery);
assert.equal(ws.subscription.subscriptionInfo.id, id, 'the subscription survived');
const { recoveries, replayed, takeovers } = await control('observations');
assert.deepEqual({ recoveries, replayed, takeovers }, { recoveries: 1, replayed: 1, takeovers: 0 });
await reception('after the cut');
console.log('recovered after a cut, received again');

await subscription.revoke();
await ws.revoke();
await rc.revoke();
assert.deepEqual(await control('subscriptions'), []);
console.log('revoked');
process.exit(0);
