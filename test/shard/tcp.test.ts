import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rcodeOf } from '../../host/dns/message.ts';
import { breakStreams } from './broken-streams.ts';
import { type LoadOptions, type ServerOptions, TestServer, until } from './server.ts';
import { framed, question, TcpClient, UdpClient } from './wire.ts';

async function serving(
  run: (server: TestServer, port: number) => Promise<void>,
  options: ServerOptions = {},
  load: LoadOptions = {},
): Promise<void> {
  const server = new TestServer(options);
  try {
    const [port] = await server.load(load);
    await run(server, port!);
  } finally {
    await server.close();
  }
}

test('replies come in the order of the queries, whatever each takes', () =>
  serving(async (_server, port) => {
    const client = await TcpClient.connect(port);
    const names = ['later1.example.', 'a.example.', 'b.example.', 'later2.example.', 'throw.example.', 'c.example.'];
    client.write(Buffer.concat(names.map((name, id) => framed(question(name, { id })))));
    const replies = await client.received(names.length);
    assert.deepEqual(
      replies.map(({ id }) => id),
      [0, 1, 2, 3, 4, 5],
    );
    assert.deepEqual(replies.map(rcodeOf), [0, 0, 0, 0, 2, 0]);
    client.close();
  }));

test('all replies of one read leave in one write', () =>
  serving(
    async (_server, port) => {
      const client = await TcpClient.connect(port);
      client.write(Buffer.concat(Array.from({ length: 100 }, (_, id) => framed(question('whoami.example.', { id })))));
      const replies = await client.received(100);
      assert.deepEqual(
        replies.map(({ id }) => id),
        Array.from({ length: 100 }, (_, id) => id),
      );
      assert.ok(client.chunks.length < 20, `${client.chunks.length} chunks`);
      client.close();
    },
    {},
    { step: 'whoami' },
  ));

test('frames may come in any pieces', () =>
  serving(
    async (_server, port) => {
      const client = await TcpClient.connect(port);
      const stream = Buffer.concat(
        [12, 0, 3].flatMap((cut, id) => [framed(question('a.example.', { id })), framed(Buffer.alloc(cut))]),
      );
      for (const octet of stream) {
        client.write(Buffer.from([octet]));
        await new Promise(setImmediate);
      }
      // A frame of 12 zero octets is a query with no question: FORMERR; shorter ones are ignored
      const replies = await client.received(4);
      assert.deepEqual(replies.map(rcodeOf), [0, 1, 0, 0]);
      client.close();
    },
    {},
    { step: 'whoami' },
  ));

test('a query of the largest size is answered, in the fast and in the slow face', async () => {
  for (const step of ['whoami', 'slow', 'relay'] as const) {
    await serving(
      async (_server, port) => {
        const message = new Uint8Array(65535);
        message.set(question('a.example.', { id: 9 }));
        const client = await TcpClient.connect(port);
        client.write(framed(message));
        client.write(framed(question('b.example.', { id: 10 })));
        const replies = await client.received(2);
        assert.deepEqual(
          replies.map(({ id }) => id),
          [9, 10],
        );
        assert.deepEqual(replies.map(rcodeOf), [0, 0]);
        client.close();
      },
      {},
      { step },
    );
  }
});

test('a reply of the largest size is cut to fit, and leaves the connection open', () =>
  serving(async (_server, port) => {
    const client = await TcpClient.connect(port);
    client.write(
      Buffer.concat([framed(question('many.example.', { id: 1 })), framed(question('a.example.', { id: 2 }))]),
    );
    const replies = await client.received(2);
    assert.equal(replies[0]!.answer.length, 2000);
    assert.equal(replies[1]!.id, 2);
    client.close();
  }));

test('deadlines: a first message, the next message, none while an answer is being made', () =>
  serving(
    async (_server, port) => {
      const began = performance.now();
      const lasted = async (client: TcpClient) => {
        await client.closed;
        return performance.now() - began;
      };
      const silent = await TcpClient.connect(port);
      const half = await TcpClient.connect(port);
      half.write(framed(question('a.example.')).subarray(0, 9));
      const asked = await TcpClient.connect(port);
      asked.write(framed(question('a.example.')));
      const short = await TcpClient.connect(port);
      short.write(framed(Buffer.alloc(5)));
      const waiting = await TcpClient.connect(port);
      waiting.write(framed(question('never.example.')));
      const ends = await Promise.all([silent, half, asked, short].map(lasted));
      // The sweep comes with the heartbeat; the upper bounds leave room for a busy machine
      assert.ok(ends[0]! >= 290 && ends[1]! >= 290, `${ends}`);
      assert.ok(ends[2]! >= 1190 && ends[3]! >= 1190, `${ends}`);
      assert.equal(asked.messages.length, 1);
      assert.equal(waiting.socket.destroyed, false);
      waiting.close();
    },
    { tcp: { firstMessageMs: 300, idleMs: 1200 } },
  ));

test('let go: connections end behind their next reply, once all that has come is answered, and new ones likewise', () =>
  serving(async (server, port) => {
    const open = async (...words: readonly string[]) => {
      const client = await TcpClient.connect(port);
      client.write(Buffer.concat(words.map((word, id) => framed(question(`${word}.example.`, { id })))));
      return client;
    };
    const idle = await open('a');
    await idle.received(1);
    const half = await open('a');
    await half.received(1);
    const waiting = await open('later', 'a');
    await until('the query is read', () => server.messages.includes('waiting'));
    await server.pool.letGo();
    const several = await open('a', 'later', 'a');
    const two = framed(question('a.example.', { id: 1 }));
    half.write(Buffer.concat([two, two.subarray(0, 9)]));
    await Promise.all([waiting.closed, several.closed]);
    assert.equal(waiting.messages.length, 2);
    assert.equal(several.messages.length, 3);
    await half.received(2);
    assert.equal(half.socket.closed, false, 'a query that has begun to come is waited for');
    half.write(two.subarray(9));
    await half.closed;
    assert.equal(half.messages.length, 3);
    assert.equal(idle.socket.closed, false, 'nobody knows whether its next query is under way');
    idle.write(framed(question('a.example.')));
    await idle.closed;
    assert.equal(idle.messages.length, 2);
  }));

test('a client that closes its half gets what it asked for', () =>
  serving(async (_server, port) => {
    const client = await TcpClient.connect(port, '127.0.0.1', true);
    client.write(
      Buffer.concat(['later', 'a', 'later'].map((word, id) => framed(question(`${word}.example.`, { id })))),
    );
    client.socket.end();
    const replies = await client.received(3);
    assert.deepEqual(
      replies.map(({ id }) => id),
      [0, 1, 2],
    );
    await client.closed;
  }));

test('a client that does not read is held up, then cut off, and costs little', () =>
  serving(
    async (_server, port) => {
      const client = await TcpClient.connect(port);
      client.socket.pause();
      const queries = Buffer.concat(Array.from({ length: 200 }, (_, id) => framed(question('many.example.', { id }))));
      // 40 KB a reply: all replies together would be 40 x 200 x 40 KB = 320 MB
      for (let i = 0; i < 40; i++) client.write(queries);
      const before = process.memoryUsage().rss;
      // A client that neither reads nor writes does not see its connection end
      const nudge = setInterval(() => client.write(Buffer.from([0])), 50);
      await Promise.race([client.closed, sleep(20_000, undefined, { ref: false })]);
      clearInterval(nudge);
      assert.ok(client.socket.destroyed, 'still open');
      assert.ok(process.memoryUsage().rss - before < 100 << 20);
      const other = await TcpClient.connect(port);
      other.write(framed(question('a.example.')));
      await other.received(1);
      other.close();
    },
    { tcp: { idleMs: 1000 } },
  ));

test('a client that reads late gets all its replies', () =>
  serving(async (_server, port) => {
    const client = await TcpClient.connect(port);
    client.socket.pause();
    client.write(Buffer.concat(Array.from({ length: 100 }, (_, id) => framed(question('many.example.', { id })))));
    await sleep(500);
    client.socket.resume();
    const replies = await client.received(100, 30_000);
    assert.deepEqual(
      replies.map(({ id }) => id),
      Array.from({ length: 100 }, (_, id) => id),
    );
    client.close();
  }));

test('all clients together keep no more than the budget: half-sent queries, the oldest first', () =>
  serving(
    async (_server, port) => {
      const frame = framed(Buffer.concat([question('a.example.'), Buffer.alloc(60_000)]));
      const [old, young] = [[], []] as [TcpClient[], TcpClient[]];
      for (let i = 0; i < 14; i++) old.push(await TcpClient.connect(port));
      for (const client of old) client.write(frame.subarray(0, 50_000));
      await sleep(300);
      for (let i = 0; i < 8; i++) young.push(await TcpClient.connect(port));
      for (const client of young) client.write(frame.subarray(0, 50_000));
      // 1.1 MB and more are asked for: those that came last stay, and are answered
      await Promise.race(old.map(({ closed }) => closed));
      for (const client of young) client.write(frame.subarray(50_000));
      for (const client of young) assert.equal((await client.received(1)).length, 1);
      const open = old.filter(({ socket }) => !socket.destroyed);
      assert.ok(open.length < old.length && open.length > 0, `${open.length} of ${old.length} are still open`);
      for (const client of [...open, ...young]) client.close();
    },
    { tcp: { firstMessageMs: 20_000, idleMs: 20_000, keptBytesMax: 1 << 20 } },
  ));

test('all clients together keep no more than the budget: unread replies; who reads is served', () =>
  serving(
    async (_server, port) => {
      const queries = Buffer.concat(Array.from({ length: 200 }, (_, id) => framed(question('many.example.', { id }))));
      const deaf: TcpClient[] = [];
      for (let n = 0; n < 3; n++) {
        const client = await TcpClient.connect(port);
        client.socket.pause();
        // More replies than the kernel's buffers take
        for (let i = 0; i < 4; i++) client.write(queries);
        deaf.push(client);
      }
      // A client that neither reads nor writes does not see its connection end
      const nudge = setInterval(() => {
        for (const client of deaf) client.write(Buffer.from([0]));
      }, 50);
      const cutCount = (): number => deaf.filter(({ socket }) => socket.destroyed).length;
      await until('two of them are cut off', () => cutCount() >= 2, 30_000);
      clearInterval(nudge);
      const client = await TcpClient.connect(port);
      client.write(queries);
      await client.received(200, 30_000);
      client.close();
      for (const each of deaf) each.close();
    },
    { tcp: { idleMs: 60_000, keptBytesMax: 128 << 10 } },
  ));

test('a client that reads slowly, one small reply at a time, is never cut off', () =>
  serving(
    async (_server, port) => {
      const client = await TcpClient.connect(port);
      client.socket.pause();
      const count = 60_000;
      for (let id = 0; id < count; id += 100) {
        const some = Array.from({ length: 100 }, (_, n) => framed(question('a.example.', { id: id + n })));
        client.write(Buffer.concat(some));
      }
      await sleep(500);
      client.socket.resume();
      const replies = await client.received(count, 60_000);
      assert.ok(replies.every(({ id }, n) => id === n));
      client.close();
    },
    {},
    { step: 'whoami' },
  ));

test('the connection that has waited longest makes room for a new one', () =>
  serving(
    async (_server, port) => {
      const first = await TcpClient.connect(port);
      const others = [await TcpClient.connect(port), await TcpClient.connect(port)];
      await sleep(50);
      const fourth = await TcpClient.connect(port);
      await first.closed;
      fourth.write(framed(question('a.example.')));
      await fourth.received(1);
      for (const client of [...others, fourth]) client.close();
    },
    { tcp: { connectionsMax: 3 } },
  ));

test('who has asked long ago makes room before a new one that has not asked yet', () =>
  serving(
    async (_server, port) => {
      const asked = await TcpClient.connect(port);
      asked.write(framed(question('a.example.')));
      await asked.received(1);
      await sleep(50);
      const others = [await TcpClient.connect(port), await TcpClient.connect(port)];
      const fourth = await TcpClient.connect(port);
      await asked.closed;
      for (const client of [...others, fourth]) {
        client.write(framed(question('a.example.')));
        await client.received(1);
        client.close();
      }
    },
    { tcp: { connectionsMax: 3 } },
  ));

test('clients that send thousands of queries in one go take turns, and get all their replies', () =>
  serving(
    async (server, port) => {
      const count = 20_000;
      const clients = await Promise.all([1, 2].map(() => TcpClient.connect(port)));
      const asked = [0, 1].map((n) =>
        Buffer.concat(Array.from({ length: count }, (_, id) => framed(question(`client${n}.example.`, { id })))),
      );
      for (const [n, client] of clients.entries()) client.write(asked[n]!);
      for (const client of clients) {
        const replies = await client.received(count, 60_000);
        assert.ok(replies.every(({ id }, n) => id === n));
        client.close();
      }
      await until('all of them are logged', () => server.messages.length >= 2 * count);
      const names = server.messages.map((message) => (message as string[])[1]!);
      const [first, second] = [...new Set(names)];
      const both = names.slice(names.indexOf(second!), Math.min(names.lastIndexOf(first!), names.lastIndexOf(second!)));
      assert.ok(both.length > count / 2, 'the clients did not ask at the same time');
      let longest = 0;
      let run = 0;
      for (const [at, name] of both.entries()) {
        run = name === both[at - 1] ? run + 1 : 1;
        longest = Math.max(longest, run);
      }
      assert.ok(longest <= 300, `${longest} queries of one client while the other waited`);
    },
    {},
    { step: 'whoami', isLogging: true },
  ));

test('thousands of broken streams leave nothing behind', () =>
  serving(
    async (_server, port) => {
      const before = readdirSync('/proc/self/fd').length;
      await breakStreams({ port, count: 2000, concurrency: 100 });
      const client = await TcpClient.connect(port);
      client.write(framed(question('a.example.')));
      await client.received(1);
      client.close();
      await until('all descriptors closed', () => readdirSync('/proc/self/fd').length <= before);
    },
    { shards: 2, tcp: { firstMessageMs: 500, idleMs: 1000 } },
  ));

test('a port held by a program that does not share it is found', async (context) => {
  const other = createServer().unref();
  await new Promise<void>((resolve) => {
    other.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });
  const { port } = other.address() as { port: number };
  const server = new TestServer({ shards: 2 });
  context.after(() => server.close());
  const expected = `Listen: listen tcp 127.0.0.1:${port}: bind: address already in use`;
  await assert.rejects(server.load({ addresses: [{ address: '127.0.0.1', port }] }), { message: expected });
  await assert.rejects(server.load({ addresses: [{ address: '', port }] }), {
    message: `Listen: listen tcp :${port}: bind: address already in use`,
  });
  await new Promise((resolve) => {
    other.close(resolve);
  });
  // Nothing of the refused configuration has stayed: the port is free now
  assert.deepEqual(await server.load({ addresses: [{ address: '127.0.0.1', port }] }), [port]);
  const client = await UdpClient.bind();
  await client.ask(question('a.example.'), port);
  client.close();
});
