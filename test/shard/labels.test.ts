// Labels of queries on the slow face: collected for the names that the block's plugin wants, set while a query is
// served, and seen by the log line of that query alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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

/** What directive `above` saw of the labels when it logged the name. */
async function labelsOf(name: string): Promise<unknown> {
  const find = () => server.messages.findLast((each) => Array.isArray(each) && each[0] === 'log' && each[1] === name);
  await until(`a log line of ${name}`, () => find() !== undefined);
  return (find() as unknown[]).at(-1);
}

test('a block that keeps labels', async () => {
  await server.load({ isLogging: true, keepsLabels: true });
  const port = server.ports[0]!;
  const names = ['label.one.example.', 'label.two.example.', 'plain.example.', 'label.outside.'];
  for (const [id, name] of names.entries()) client.send(question(name, { id }), port, '127.0.0.1');
  for (const _ of names) await client.next();
  assert.equal(await labelsOf('label.one.example.'), 'label.one.example. late label.one.example. -');
  assert.equal(await labelsOf('label.two.example.'), 'label.two.example. late label.two.example. -');
  assert.equal(await labelsOf('plain.example.'), 'plain.example. - -');
  assert.equal(await labelsOf('label.outside.'), '- late - -', 'not collected, but set');
  await client.ask(question('next.example.', { id: 9 }), port);
  assert.equal(await labelsOf('next.example.'), 'next.example. - -', 'a failed query has its labels');
});

test('a block that keeps none', async () => {
  await server.load({ isLogging: true });
  const port = server.ports[0]!;
  await client.ask(question('label.three.example.', { id: 1 }), port);
  assert.equal(await labelsOf('label.three.example.'), '- - -');
});
