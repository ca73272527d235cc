// What a notification costs the official npm client. The program `npm` runs this beside the installed package, with a
// server and credentials in the environment. A number of notifications on stdin is answered with `taking`, and when they
// have come with nanoseconds of the processor for each (user and system, all threads), nanoseconds on the wall for each,
// and the bytes of memory that this process has.
import { createInterface } from 'node:readline';
import RingCentral from '@rc-ex/core';
import WebSocketExtension from '@rc-ex/ws';

const { RC_SERVER_URL: server, RC_APP_CLIENT_ID: clientId, RC_APP_CLIENT_SECRET: clientSecret, RC_USER_JWT: jwt } = process.env;
const rc = new RingCentral({ server, clientId, clientSecret });
await rc.authorize({ jwt });
const Extension = WebSocketExtension.default ?? WebSocketExtension;
const ws = new Extension();
await rc.installExtension(ws);

let [count, left, bytes, cpu, first] = [0, 0, 0, undefined, 0n];

function report() {
  const { user, system } = process.cpuUsage(cpu);
  const wall = Number(process.hrtime.bigint() - first);
  const each = (ns) => Math.round(ns / Math.max(count, 1));
  console.log(each((user + system) * 1000), each(wall), process.memoryUsage.rss());
}

await ws.subscribe(['/restapi/v1.0/account/~/extension/~/message-store'], (notification) => {
  if (left === count) first = process.hrtime.bigint();
  bytes += notification.uuid.length;
  left -= 1;
  if (left === 0) report();
});
ws.ws.addEventListener('close', () => {
  console.error(`the connection was lost after ${bytes} bytes of uuids`);
  process.exit(1);
});
console.log('ready');

for await (const line of createInterface({ input: process.stdin })) {
  [count, left] = [Number(line), Number(line)];
  console.log('taking');
  first = process.hrtime.bigint();
  cpu = process.cpuUsage();
  if (count === 0) report();
}
process.exit(0);
