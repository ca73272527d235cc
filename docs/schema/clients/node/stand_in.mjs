// Runs a program against the stand-in: node stand_in.mjs node tail_sms.mjs
//
// SMS arrive before, during and after an outage. When the program has printed the last one it is asked to end, and the
// books of the server are shown. `ringcentral-ws` is on the PATH.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const standIn = spawn('ringcentral-ws', ['stand-in', '--quiet'], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((found) => {
  createInterface({ input: standIn.stdout }).on('line', (line) => line.startsWith('HTTP ') && found(line.split(/ +/)[1]));
});

async function gateway(name, body) {
  const answer = await fetch(`${url}/_gateway/${name}`, body && { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
  return answer.json();
}

const { server, client_id, client_secret, jwt } = await gateway('credentials');
const login = { RC_SERVER_URL: server, RC_APP_CLIENT_ID: client_id, RC_APP_CLIENT_SECRET: client_secret, RC_USER_JWT: jwt };
const [command, ...args] = process.argv.slice(2);
const options = { env: { ...process.env, ...login }, stdio: ['ignore', 'pipe', 'inherit'] };
const program = spawn(command, args, options);
const ended = new Promise((end) => program.on('close', end));
while ((await gateway('subscriptions')).length === 0) await sleep(50);

await gateway('sms', { text: 'before the outage' });
await gateway('drop', {});
await gateway('sms', { text: 'during the outage' });
while ((await gateway('observations')).recoveries === 0) await sleep(50);
await gateway('sms', { text: 'after the outage' });

for await (const line of createInterface({ input: program.stdout })) {
  console.log(line);
  if (line.includes('after the outage')) program.kill();
}
const books = await gateway('observations');
console.log('notifications', books.notifications, 'replayed', books.replayed, 'lost', books.lost);
console.log('subscriptions left', (await gateway('subscriptions')).length);
standIn.kill();
process.exitCode = await ended;
