// A plugin that throws: CoreDNS core, A4 (recovery), plugin debug (none), plugin errors (stacktrace).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rcodeOf } from '../../host/dns/message.ts';
import { TestServer, until } from './server.ts';
import { question, UdpClient } from './wire.ts';

let server: TestServer;
let client: UdpClient;

before(async () => {
  server = new TestServer();
  client = await UdpClient.bind();
});
after(async () => {
  client.close();
  await server.close();
});

const lines = () => server.messages.filter((each) => typeof each === 'string' && each.endsWith('\n'));
const RECOVERED = '[ERROR] Recovered from panic in server: "dns://:53" plugin/ask: a plugin that throws\n';

test('SERVFAIL, one line, and the server goes on', async () => {
  await server.load();
  const { message } = await client.ask(question('throw.example.', { id: 1 }), server.ports[0]!);
  assert.equal(rcodeOf(message), 2);
  await until('the line', () => lines().length > 0);
  assert.deepEqual(lines(), [RECOVERED]);
  assert.deepEqual(server.panics, []);
});

test('with stacktrace the line is followed by the stack', async () => {
  await server.load({ showsStack: true });
  const from = lines().length;
  await client.ask(question('throw.example.', { id: 2 }), server.ports[0]!);
  await until('the stack', () => lines().length > from + 1);
  const [first, ...stack] = lines().slice(from) as string[];
  assert.equal(first, RECOVERED);
  for (const line of stack) assert.match(line, /^ {4}at .*:\d+:\d+\)?\n$/);
  assert.match(stack[0]!, /entry\.ts/);
});

test('with debug nobody recovers: the main thread is told to end the process', async () => {
  await server.load({ isDebugging: true });
  const from = lines().length;
  client.send(question('throw.example.', { id: 3 }), server.ports[0]!, '127.0.0.1');
  await until('the panic', () => server.panics.length > 0);
  assert.match(server.panics[0]!, /^panic: plugin\/ask: a plugin that throws\n\n {4}at .*entry\.ts/);
  assert.equal(lines().length, from);
});
