import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SHARD_HEARTBEAT } from '../../engine-as/shared/layout.ts';
import { rcodeOf } from '../../host/dns/message.ts';
import { areaAt } from '../../host/engine/memory.ts';
import { parseAddress } from '../dns/rdata-forms.ts';
import { TestServer, until } from './server.ts';
import { question, UdpClient } from './wire.ts';

const SLOTS_AT = 0;
for (const useNative of [true, false]) {
  const kind = useNative ? 'batch' : 'dgram';
  let server: TestServer;
  let client: UdpClient;

  test(`${kind}`, async (context) => {
    before(async () => {
      server = new TestServer({ useNative, exchangesPerShard: 64 });
      await server.load({ isLogging: true });
      client = await UdpClient.bind();
    });
    after(async () => {
      client.close();
      await server.close();
    });
    const port = () => server.ports[0]!;
    await context.test('a slow answer comes back with the question as asked', async () => {
      const { message } = await client.ask(question('WwW.Example.', { id: 7, payloadBytes: 1232 }), port());
      assert.equal(message.id, 7);
      assert.deepEqual(message.questions[0]!.wire.subarray(1, 4), new Uint8Array(Buffer.from('WwW')));
      assert.equal(parseAddress(message.answer[0]!.rdata), '192.0.2.1');
      assert.equal(message.edns?.payloadBytes, 1232);
    });

    await context.test('many at once', async () => {
      const asked = Array.from({ length: 60 }, (_, id) => id);
      for (const id of asked) client.send(question(`later${id}.example.`, { id }), port(), '127.0.0.1');
      const ids = new Set<number>();
      for (const _ of asked) ids.add((await client.next()).message.id);
      assert.deepEqual(ids, new Set(asked));
    });

    await context.test('queries beyond what may wait are refused, and room comes back', async () => {
      for (let id = 0; id < 100; id++) client.send(question('later.example.', { id }), port(), '127.0.0.1');
      const rcodes = { 0: 0, 2: 0 } as Record<number, number>;
      for (let i = 0; i < 100; i++) rcodes[rcodeOf((await client.next()).message)]!++;
      assert.ok(rcodes[0]! >= 64, `${rcodes[0]} answers`);
      assert.equal(rcodes[0]! + rcodes[2]!, 100);
      assert.equal(rcodeOf((await client.ask(question('later.example.'), port())).message), 0);
    });

    await context.test('a reply of any size leaves whole if the client takes it', async () => {
      const { message } = await client.ask(question('many.example.', { payloadBytes: 65000 }), port());
      assert.equal(message.answer.length, 2000);
      const cut = await client.ask(question('many.example.', { payloadBytes: 1232 }), port());
      assert.equal(cut.message.flags & 0x0200, 0x0200, 'TC');
    });

    await context.test('failures are told to the plugins above, and the client gets SERVFAIL', async () => {
      for (const [name, text] of [['next.example.', 'plugin/ask: no next plugin found']] as const) {
        const { message } = await client.ask(question(name), port());
        assert.equal(rcodeOf(message), 2);
        await until(`error of ${name}`, () =>
          server.messages.some((each) => Array.isArray(each) && each[0] === 'error' && each[1] === name),
        );
        const error = server.messages.findLast((each) => Array.isArray(each) && each[0] === 'error');
        assert.deepEqual(error, ['error', name, 2, text]);
      }
    });

    await context.test('a plugin that throws is SERVFAIL, one line and one panic', async () => {
      const panics = () => new Float64Array(server.memory.buffer)[(areaAt(server.plan, 0) + SLOTS_AT + 1024000) / 8]!;
      const before = panics();
      assert.equal(rcodeOf((await client.ask(question('throw.example.'), port())).message), 2);
      assert.equal(rcodeOf((await client.ask(question('twice.example.'), port())).message), 2);
      const line = (text: string) => `[ERROR] Recovered from panic in server: "dns://:53" plugin/ask: ${text}\n`;
      await until('two lines', () => server.messages.includes(line('a plugin that throws')));
      await until('two lines', () => server.messages.includes(line('next() called twice for one query')));
      assert.equal(panics() - before, 2);
    });

    await context.test('a look-up within a query enters the listener from the top', async () => {
      const { message } = await client.ask(question('hop.example.'), port());
      assert.equal(message.questions[0]!.name, 'hop.example.');
      assert.equal(message.answer[0]!.name, 'inner.example.');
      const looped = await client.ask(question('loop.example.'), port());
      assert.equal(rcodeOf(looped.message), 2);
      await until('the bound is told', () =>
        server.messages.some((each) => Array.isArray(each) && String(each[3]).includes('more than 8 look-ups')),
      );
    });

    await context.test('no reply leaves for a dropped query', async () => {
      client.send(question('drop.example.', { id: 1 }), port(), '127.0.0.1');
      const { message } = await client.ask(question('a.example.', { id: 2 }), port());
      assert.equal(message.id, 2);
    });

    await context.test('log lines carry the words of the query', async () => {
      await client.ask(question('logged.example.'), port());
      const found = () =>
        server.messages.findLast((each) => Array.isArray(each) && each[0] === 'log' && each[1] === 'logged.example.');
      await until('the line', () => found() !== undefined);
      const [, , proto, rcode, seconds] = found() as unknown[];
      assert.deepEqual([proto, rcode], ['udp', 0]);
      assert.ok(typeof seconds === 'number' && seconds >= 0 && seconds < 10);
    });

    await context.test('the heart beats', async () => {
      const words = new Int32Array(server.memory.buffer);
      const at = (areaAt(server.plan, 0) + SHARD_HEARTBEAT) / 4;
      const beat = words[at]!;
      await until('three beats', () => words[at]! >= beat + 3);
    });
  });
}
