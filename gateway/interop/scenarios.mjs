// What the tests of the JavaScript SDK's WebSocket extension try against RingCentral, tried against the stand-in, and written
// anew. The README lists them. Takes the URLs of two servers: a usual one, and one with a short window and idle limit.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import RingCentral from '@rc-ex/core';
import WebSocketExtension, { Events } from '@rc-ex/ws';

const [usual, short] = process.argv.slice(2);
const Extension = WebSocketExtension.default ?? WebSocketExtension;
const MESSAGES = '/restapi/v1.0/account/~/extension/~/message-store';
const BY_HAND = { autoRecover: { enabled: false } };
// As often as possible, so that no scenario waits for the pauses of the extension.
const AT_ONCE = { autoRecover: { enabled: true, checkInterval: () => 50, pingServerInterval: 60_000 } };

async function control(server, name, body) {
  const options = body && { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`${server}/_gateway/${name}`, options);
  assert.equal(response.status, 200, `${name}: ${response.status}`);
  return response.json();
}

async function until(what, isSo) {
  for (const end = Date.now() + 20_000; !(await isSo()); await sleep(20)) assert.ok(Date.now() < end, `in vain: ${what}`);
}

// A login with the extension, and what comes over it.
class Session {
  received = [];

  static async open(server, options = {}) {
    const session = new Session();
    const { client_id: clientId, client_secret: clientSecret, jwt } = await control(server, 'credentials');
    session.server = server;
    session.before = await control(server, 'observations');
    session.rc = new RingCentral({ server, clientId, clientSecret });
    await session.rc.authorize({ jwt });
    session.ws = new Extension(options);
    await session.rc.installExtension(session.ws);
    assert.equal(session.state, undefined, 'a new session');
    return session;
  }

  get state() {
    return this.ws.connectionDetails.recoveryState;
  }

  // How much a counter of the server has grown.
  async grown(counter) {
    return (await control(this.server, 'observations'))[counter] - this.before[counter];
  }

  async subscribe() {
    this.subscription = await this.ws.subscribe([MESSAGES], (event) => this.received.push(event));
    return this.subscription.subscriptionInfo.id;
  }

  // The connection ends, and the server knows it.
  async leave() {
    this.ws.ws.close();
    await until('the end of the connection', async () => (await control(this.server, 'connections')).length === 0);
  }

  // A message to oneself, which arrives.
  async pager() {
    const before = this.received.length;
    const oneself = { extensionId: this.rc.token.owner_id };
    await this.rc.restapi().account().extension().companyPager().post({ from: oneself, to: [oneself], text: 'Hello' });
    await until('the message', () => this.received.length > before);
  }

  async close() {
    await this.ws.revoke();
    await this.rc.revoke();
    assert.deepEqual(await control(this.server, 'connections'), []);
  }
}

const scenarios = [];
const scenario = (name, play) => scenarios.push({ name, play });

scenario('installing it connects', async () => {
  const session = await Session.open(usual);
  assert.equal(session.ws.ws.readyState, 1);
  assert.ok(session.ws.connectionDetails.recoveryTimeout > 0);
  await session.close();
});

scenario('REST over the socket', async () => {
  const session = await Session.open(usual, { restOverWebSocket: true });
  const extension = await session.rc.restapi().account().extension().get();
  assert.equal(String(extension.id), String(session.rc.token.owner_id));
  assert.equal(await session.grown('requests'), 1);
  await session.close();
});

scenario('an answer without a body', async () => {
  const session = await Session.open(usual, { restOverWebSocket: true });
  const answer = await session.rc.delete('/restapi/v1.0/_empty');
  assert.equal(answer.status, 204);
  await session.close();
});

scenario('a message to oneself', async () => {
  const session = await Session.open(usual);
  await session.subscribe();
  await session.rc.restapi().account().extension().presence().put({ userStatus: 'Busy', message: 'Hello' });
  assert.deepEqual(session.received, [], 'presence is another filter');
  await session.pager();
  assert.equal(await session.grown('requests'), 1, 'all but the subscription went over HTTPS');
  await session.rc.restapi().account().extension().presence().put({ userStatus: 'Available', message: '' });
  await session.close();
});

scenario('an SMS to oneself', async () => {
  const session = await Session.open(usual);
  const filter = `${MESSAGES}/instant?type=SMS`;
  await session.ws.subscribe([filter], (event) => session.received.push(event.body.subject));
  const extension = session.rc.restapi().account().extension();
  const oneself = { phoneNumber: (await extension.get()).contact.businessPhone };
  await extension.sms().post({ from: oneself, to: [oneself], text: 'Hello' });
  await until('the SMS', () => session.received.includes('Hello'));
  await session.close();
});

scenario('REST works after an automatic recovery', async () => {
  const session = await Session.open(usual, AT_ONCE);
  const before = session.ws.ws;
  before.close();
  await until('another connection', () => session.ws.ws !== before && session.ws.ws.readyState === 1);
  assert.ok((await session.rc.restapi().account().extension().get()).id);
  await session.close();
});

scenario('a message after an automatic recovery', async () => {
  const session = await Session.open(usual, AT_ONCE);
  await session.subscribe();
  const recovered = new Promise((resolve) => session.ws.eventEmitter.once(Events.autoRecoverSuccess, resolve));
  session.ws.ws.close();
  await recovered;
  await session.pager();
  await session.close();
});

scenario('an event names the new socket', async () => {
  const session = await Session.open(usual, AT_ONCE);
  await session.subscribe();
  const before = session.ws.ws;
  const recovered = new Promise((resolve, reject) => {
    session.ws.eventEmitter.once(Events.autoRecoverSuccess, resolve);
    session.ws.eventEmitter.once(Events.autoRecoverFailed, () => reject(new Error('not recovered')));
  });
  before.close();
  const now = await recovered;
  assert.ok(now !== before && now === session.ws.ws);
  assert.equal(await session.grown('recoveries'), 1);
  await session.close();
});

scenario('recovery by hand', async () => {
  const session = await Session.open(usual, { ...BY_HAND, restOverWebSocket: true });
  const id = await session.subscribe();
  await session.leave();
  assert.equal(await session.grown('upgrades'), 1, 'nothing happens by itself');
  await session.ws.recover();
  assert.equal(session.state, 'Successful');
  assert.equal(session.subscription.subscriptionInfo.id, id);
  await session.pager();
  await session.close();
});

scenario('another connection without recovery', async () => {
  const session = await Session.open(usual, { ...BY_HAND, restOverWebSocket: true });
  const id = await session.subscribe();
  await session.leave();
  await session.ws.connect(false);
  assert.equal(session.state, undefined);
  assert.notEqual(session.subscription.subscriptionInfo.id, id, 'subscribed anew');
  await session.pager();
  await session.close();
});

scenario('recovery of a live connection', async () => {
  const session = await Session.open(usual);
  await session.subscribe();
  await session.ws.recover();
  assert.equal(session.state, undefined);
  assert.equal(await session.grown('upgrades'), 1);
  await session.pager();
  await session.close();
});

scenario('too late to recover', async () => {
  const session = await Session.open(short, { ...BY_HAND, restOverWebSocket: true });
  const id = await session.subscribe();
  await session.leave();
  await until('the end of the window', async () => (await control(short, 'sessions')).length === 0);
  await session.ws.recover();
  assert.equal(session.state, 'Failed');
  assert.notEqual(session.subscription.subscriptionInfo.id, id, 'subscribed anew');
  await session.pager();
  await session.close();
});

// Outlives the idle limit of the server by what the session sends.
async function outlives(session, counter) {
  const before = session.ws.ws;
  await until('signs of life', async () => (await session.grown(counter)) >= 8);
  assert.ok(session.ws.ws === before && before.readyState === 1);
  assert.equal(await session.grown('upgrades'), 1);
  await session.close();
}

const OFTEN = { autoRecover: { enabled: true, checkInterval: () => 50, pingServerInterval: 500 } };

scenario('heartbeats', async () => outlives(await Session.open(short, OFTEN), 'heartbeats'));

scenario('heartbeats of the program', async () => {
  const session = await Session.open(short, OFTEN);
  session.ws.pingServer = () => session.ws.request('GET', '/restapi/v1.0/account/~/extension/~');
  await outlives(session, 'requests');
});

for (const { name, play } of scenarios) {
  await play().catch((error) => {
    console.error(`FAILED: ${name}`);
    throw error;
  });
  console.log(`ok: ${name}`);
}
process.exit(0);
