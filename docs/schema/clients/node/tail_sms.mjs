// Prints each SMS as it comes. The credentials are in the environment, and `ringcentral-ws` is on the PATH.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const tail = spawn('ringcentral-ws', ['tail', '--json', 'sms'], { stdio: ['ignore', 'pipe', 'inherit'] });
tail.on('exit', (status) => { process.exitCode = status ?? 1; });
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => tail.kill()); // it ends in order, and `closed` comes
for await (const text of createInterface({ input: tail.stdout })) {
  const line = JSON.parse(text);
  if (line.event === 'notification') console.log(line.body.from.phoneNumber, line.body.subject);
  else if (line.event === 'gap') console.error('messages may be missing:', line.message);
  else if (line.event === 'closed') console.error('the end:', line.message ?? line.reason);
}
