import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { rcodeOf } from '../../host/dns/message.ts';
import { parseAddress } from '../dns/rdata-forms.ts';
import { TestServer, until } from './server.ts';
import { framed, question, TcpClient, UdpClient } from './wire.ts';

const LOOPBACK = '127.0.0.1';

async function addressOf(client: UdpClient, port: number, name = 'a.example.'): Promise<string> {
  return parseAddress((await client.ask(question(name), port)).message.answer[0]!.rdata);
}

/** How many queries have come to wait for their answers. */
function waitingOf(server: TestServer): number {
  return server.messages.filter((each) => each === 'waiting').length;
}

test('a reload keeps sockets, connections and queries that are under way', async (context) => {
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const [port] = await server.load();
  const descriptors = readdirSync('/proc/self/fd').length;
  const udp = await UdpClient.bind();
  const tcp = await TcpClient.connect(port!);
  tcp.write(framed(question('later.example.', { id: 1 })));
  udp.send(question('later.example.', { id: 2 }), port!, LOOPBACK);
  assert.deepEqual(await server.load({ config: { address: '192.0.2.2' } }), [port], 'the port the kernel chose stays');
  // Begun under the old configuration, or read after the switch: either answer is right, none is lost
  const begun = [(await udp.next()).message, (await tcp.received(1))[0]!];
  for (const message of begun) {
    assert.equal(rcodeOf(message), 0);
    assert.match(parseAddress(message.answer[0]!.rdata), /^192\.0\.2\.[12]$/);
  }
  tcp.write(framed(question('b.example.', { id: 3 })));
  assert.equal(parseAddress((await tcp.received(2))[1]!.answer[0]!.rdata), '192.0.2.2');
  assert.equal(await addressOf(udp, port!), '192.0.2.2');
  await until('the old generation is given back', () => server.released.includes(1));
  assert.deepEqual(server.released, [1]);
  assert.equal(server.messages.filter((each) => each === 'stopped').length, 2, 'one old plugin a shard');
  assert.equal(readdirSync('/proc/self/fd').length, descriptors + 3, 'two clients and an accepted connection');
  udp.close();
  tcp.close();
});

test('no query is lost while configurations come and go', async (context) => {
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const [port] = await server.load();
  const clients = await Promise.all(Array.from({ length: 4 }, () => UdpClient.bind()));
  const asked = { isOver: false, answered: 0 };
  const asking = clients.map(async (client, i) => {
    for (let id = 0; !asked.isOver; id++) {
      const name = i % 2 === 0 ? 'later.example.' : 'a.example.';
      const { message } = await client.ask(question(name, { id: id & 0xffff }), port!);
      assert.equal(rcodeOf(message), 0);
      asked.answered++;
    }
  });
  for (let i = 0; i < 10; i++) await server.load({ config: { address: `192.0.2.${i}` } });
  await until('answers after the last reload', () => asked.answered > 200);
  asked.isOver = true;
  await Promise.all(asking);
  await until('all old generations given back', () => server.released.length === 10);
  assert.deepEqual(server.lines, []);
  for (const client of clients) client.close();
});

test('addresses come and go with the configuration', async (context) => {
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const [first, second] = await server.load({
    addresses: [
      { address: LOOPBACK, port: 0 },
      { address: '127.0.0.2', port: 0 },
    ],
  });
  const udp = await UdpClient.bind();
  const idle = await TcpClient.connect(second!, '127.0.0.2');
  udp.send(question('later.example.'), second!, '127.0.0.2');
  await until('the query is read', () => waitingOf(server) === 1);
  await server.load({ addresses: [{ address: LOOPBACK, port: first! }] });
  assert.equal((await udp.next()).from, '127.0.0.2', 'the reply of an open query still leaves');
  await idle.closed;
  await until('the old generation is given back', () => server.released.includes(1));
  // The port is free for others now
  const other = createSocket('udp4').bind(second!, '127.0.0.2');
  await once(other, 'listening');
  other.close();
  assert.equal(await addressOf(udp, first!), '192.0.2.1');
  await server.load({
    addresses: [
      { address: '127.0.0.2', port: second! },
      { address: LOOPBACK, port: first! },
    ],
    config: { address: '192.0.2.9' },
  });
  assert.equal(
    parseAddress((await udp.ask(question('a.'), second!, '127.0.0.2')).message.answer[0]!.rdata),
    '192.0.2.9',
  );
  udp.close();
});

test('a configuration that one shard cannot load changes nothing', async (context) => {
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const [port] = await server.load();
  const before = readdirSync('/proc/self/fd').length;
  const taken = createSocket('udp4').bind(0, '127.0.0.2');
  await once(taken, 'listening');
  const wrong = [
    { config: { failing: 'create' }, error: /this configuration cannot be created/ },
    { config: { failing: 'start' }, error: /this configuration cannot be started/ },
    {
      addresses: [
        { address: LOOPBACK, port: port! },
        { address: '127.0.0.3', port: 0 },
        { address: '127.0.0.2', port: taken.address().port },
      ],
      error: /^ListenPacket: listen udp 127\.0\.0\.2:\d+: bind: address already in use$/,
    },
  ];
  for (const { error, ...options } of wrong) {
    await assert.rejects(server.load(options), (thrown: Error) => {
      assert.match(thrown.message, error);
      return true;
    });
  }
  taken.close();
  const udp = await UdpClient.bind();
  assert.equal(await addressOf(udp, port!), '192.0.2.1');
  udp.close();
  await until('the refused ones are given back', () => server.released.length === 3);
  assert.deepEqual(server.released, [2, 3, 4]);
  await until('no descriptor is left', () => readdirSync('/proc/self/fd').length <= before);
  assert.deepEqual(server.restarts, []);
});

test('drain goes on answering; stop finishes what is open, and no longer than it may', async (context) => {
  const server = new TestServer();
  context.after(() => server.close());
  const [port] = await server.load();
  await server.pool.drain();
  const udp = await UdpClient.bind();
  assert.equal(await addressOf(udp, port!), '192.0.2.1');
  udp.send(question('later.example.'), port!, LOOPBACK);
  const tcp = await TcpClient.connect(port!);
  tcp.write(framed(question('later.example.')));
  const never = await TcpClient.connect(port!);
  never.write(framed(question('never.example.')));
  await until('the queries are read', () => waitingOf(server) === 3);
  const began = performance.now();
  await server.close(400);
  assert.ok(performance.now() - began >= 390);
  assert.equal(rcodeOf((await udp.next(10)).message), 0);
  assert.equal(rcodeOf((await tcp.received(1))[0]!), 0);
  assert.equal(rcodeOf((await never.received(1))[0]!), 2, 'what had no answer in time failed');
  await Promise.all([tcp.closed, never.closed]);
  udp.close();
  const other = createSocket('udp4').bind(port!, LOOPBACK);
  await once(other, 'listening');
  other.close();
});
