// Asks from within a pod's network namespace:
//
//   node pod-client.ts ADDRESS NAME COUNT INTERVAL_MS fresh|pinned|tcp
//
// Each question is sent at its time, whatever became of those before: over UDP from a new port, from one port for all, or over
// a new TCP connection. Prints `SENT_MS ANSWER` for each, in the order of the ends; the times are those of Date.now().

import { ask } from '../support/ask.ts';
import { type DnsClient, TcpClient, UdpClient } from '../support/dns-client.ts';

/** As the resolvers of programs wait at least. */
const TIMEOUT_MS = 1500;

const [address, name, countText, intervalText, way] = process.argv.slice(2) as [string, string, string, string, string];
const count = Number(countText);
const pinned = way === 'pinned' ? new UdpClient(53, address) : undefined;
let sent = 0;
let done = 0;

const timer = setInterval(askOnce, Number(intervalText));
askOnce();

function askOnce(): void {
  if (++sent >= count) clearInterval(timer);
  const client = pinned ?? (way === 'tcp' ? new TcpClient(53, address) : new UdpClient(53, address));
  void answerOf(client, Date.now());
}

async function answerOf(client: DnsClient, at: number): Promise<void> {
  const answer = await ask(client, name, 'A', TIMEOUT_MS);
  process.stdout.write(`${at} ${answer}\n`);
  if (client !== pinned) client.close();
  if (++done === count) pinned?.close();
}
