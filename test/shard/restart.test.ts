import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { rcodeOf } from '../../host/dns/message.ts';
import { TestServer, until } from './server.ts';
import { framed, question, TcpClient, UdpClient } from './wire.ts';

/** Asks from ever new ports, so that the kernel gives every shard its part; counts what is answered. */
async function answeredOf(port: number, count: number, withinMs = 300): Promise<number> {
  const asked = Array.from({ length: count }, async () => {
    const client = await UdpClient.bind();
    client.send(question('a.example.'), port, '127.0.0.1');
    try {
      return rcodeOf((await client.next(withinMs)).message) === 0 ? 1 : 0;
    } catch {
      return 0;
    } finally {
      client.close();
    }
  });
  return (await Promise.all(asked)).reduce((sum: number, each) => sum + each, 0);
}

async function ask(port: number, name: string): Promise<void> {
  const client = await UdpClient.bind();
  client.send(question(name), port, '127.0.0.1');
  client.socket.unref();
  setTimeout(() => client.close(), 200).unref();
}

test('a crashed shard is replaced; the others serve all queries meanwhile', async (context) => {
  const server = new TestServer({ shards: 2, limits: { pauseMs: 600 } });
  context.after(() => server.close());
  const [port] = await server.load();
  await until('both shards serve', () => true);
  const descriptors = readdirSync('/proc/self/fd').length;
  await ask(port!, 'crash.example.');
  await until('the crash is seen', () => server.restarts.length === 1);
  // Its sockets are gone, so that the kernel gives nothing to nobody
  assert.equal(await answeredOf(port!, 40, 2000), 40);
  assert.match(server.restarts[0]!, /^[01] crash$/);
  assert.match(server.lines[0]!, /^\[ERROR\] shard [01] is started anew: a crash on purpose$/);
  await until('its sockets are open again', () => readdirSync('/proc/self/fd').length >= descriptors);
  assert.equal(await answeredOf(port!, 40, 2000), 40);
  assert.equal(server.lines.length, 1);
});

test('a shard that stands still is terminated and replaced', async (context) => {
  const server = new TestServer({ shards: 2, limits: { hangMs: 600 } });
  context.after(() => server.close());
  const [port] = await server.load();
  await ask(port!, 'hang.example.');
  await until('the hang is seen', () => server.restarts.length === 1);
  assert.match(server.restarts[0]!, /^[01] hang$/);
  assert.match(server.lines[0]!, /^\[ERROR\] shard [01] is started anew: it stood still$/);
  assert.equal(await answeredOf(port!, 40, 3000), 40);
});

test('a replacement gets the configuration that is in force, and old ones are given back', async (context) => {
  const server = new TestServer({ shards: 1 });
  context.after(() => server.close());
  const [port] = await server.load();
  await server.load({ config: { address: '192.0.2.2' } });
  const tcp = await TcpClient.connect(port!);
  tcp.write(framed(question('crash.example.')));
  await tcp.closed;
  await until('the crash is seen', () => server.restarts.length === 1);
  const client = await UdpClient.bind();
  const reply = await new Promise<Uint8Array>((resolve) => {
    const again = setInterval(() => client.send(question('a.example.'), port!, '127.0.0.1'), 50);
    void client.next().then(({ message }) => {
      clearInterval(again);
      resolve(message.answer[0]!.rdata);
    });
  });
  assert.deepEqual([...reply], [192, 0, 2, 2]);
  client.close();
  assert.deepEqual(server.released, [1]);
  await server.load({ config: { address: '192.0.2.3' } });
  await until('the second one is given back', () => server.released.includes(2));
});

test('crashes in a row come with longer pauses and then end the process', async (context) => {
  const server = new TestServer({ shards: 1, limits: { pauseMs: 10, pauseMaxMs: 40, deathsMax: 4 } });
  context.after(() => server.close());
  const [port] = await server.load();
  const crashing = setInterval(() => void ask(port!, 'crash.example.'), 20);
  await until('the end', () => server.fatals.length === 1, 30_000);
  clearInterval(crashing);
  assert.deepEqual(server.fatals, ['shard 0 has ended 4 times in a row']);
  assert.equal(server.restarts.length, 4);
});

test('a shard that ends while it loads makes the load fail, not hang', async (context) => {
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const [port] = await server.load();
  const crashing = ask(port!, 'crash.example.');
  // Any order is right: the shard died before, or between two steps of the load, or in the midst of one
  await server
    .load({ config: { address: '192.0.2.2' } })
    .catch((error: Error) => assert.match(error.message, /^shard [01] (has ended|is not running)/));
  await crashing;
  await until('the crash is seen', () => server.restarts.length === 1);
  await server.load({ config: { address: '192.0.2.3' } });
  assert.equal(await answeredOf(port!, 20, 3000), 20);
});
