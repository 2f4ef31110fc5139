import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { TYPE_A, TYPE_HINFO } from '../../../engine-as/shared/codes.ts';
import { parseMessage } from '../../../host/dns/message.ts';
import { composeName } from '../../../host/dns/name.ts';
import type {
  BlockProgram,
  ControlServices,
  Plain,
  ServerBlock,
  ShardServices,
} from '../../../host/plugin/contract.ts';
import { Loop, LoopControl, loop } from '../../../host/plugins/loop/loop.ts';
import { probeName } from '../../../host/plugins/loop/probe.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { answerOf, chainEnd, queryFor } from '../queries.ts';

const TIMES = { probingMs: 10_000, retryMs: 20, lingerMs: 50 };

function blockOf(port: number, zone = '.', server = `dns://:${port}`): ServerBlock {
  const keys = [{ transport: 'dns' as const, zone, address: '', port, server }];
  return { index: 0, keys, zones: [zone], plugins: ['loop'], file: 'Corefile', line: 1 };
}

function world(block: ServerBlock) {
  const words = new Int32Array(new SharedArrayBuffer(32));
  const fatals: string[] = [];
  const keys: string[] = [];
  const services = {
    words,
    claimWord(key: string) {
      if (!keys.includes(key)) keys.push(key);
      return keys.indexOf(key);
    },
    fatal: (text: string) => fatals.push(text),
  } as unknown as ControlServices;
  const control = new LoopControl(block, services, TIMES);
  const notices: Plain[] = [];
  const shard = {
    words,
    notifyControl(message: Plain) {
      notices.push(message);
      control.onNotice(message);
    },
  } as unknown as ShardServices;
  return { words, fatals, control, services, notices, shard, flag: () => words[control.shared.flagWord] };
}

async function listen(onMessage: (octets: Buffer, socket: Socket, port: number) => void): Promise<Socket> {
  const socket = createSocket('udp4').unref();
  socket.on('message', (octets, { port }) => onMessage(octets, socket, port));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function echo(octets: Buffer, socket: Socket, port: number): void {
  octets[2]! |= 0x80;
  socket.send(octets, port, '127.0.0.1');
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('parse: no arguments, no block, once', () => {
  assert.deepEqual(loop.parse(readerOf('loop', 'loop')), {});
  const wrong: [string, RegExp][] = [
    [
      'loop x',
      /^plugin\/loop: Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after 'x'$/,
    ],
    ['loop {\n}', /^plugin\/loop: Corefile:2 - Error during parsing: Unexpected token '{', expecting argument$/],
    ['loop\nloop', /^plugin\/loop: Corefile:3 .* once per Server Block$/],
  ];
  for (const [body, message] of wrong) assert.throws(() => loop.parse(readerOf('loop', body)), { message });
});

test('the name is random, under the zone, and a name', () => {
  assert.match(probeName('.'), /^\d{1,19}\.\d{1,19}\.$/);
  assert.match(probeName('example.org.'), /^\d{1,19}\.\d{1,19}\.example\.org\.$/);
  assert.notEqual(probeName('.'), probeName('.'));
  assert.ok(composeName(probeName('example.org.')).length > 14);
});

test('HINFO queries are watched by the flag word', () => {
  const { control } = world(blockOf(53));
  const watched: [number, number][] = [];
  const program = { watchType: (type: number, word: number) => watched.push([type, word]) };
  loop.compile!({}, program as unknown as BlockProgram, control);
  assert.deepEqual(watched, [[TYPE_HINFO, control.shared.flagWord]]);
});

test('a reply ends the probe: one question, and the watch goes off', async () => {
  const names: string[] = [];
  const server = await listen((octets, socket, port) => {
    const [question] = parseMessage(octets).questions;
    names.push(`${question!.name} ${question!.type}`);
    echo(octets, socket, port);
  });
  const { control, flag, fatals } = world(blockOf(server.address().port, 'example.org.'));
  control.serving();
  assert.notEqual(flag(), 0);
  await until(() => flag() === 0);
  assert.deepEqual(names, [`${control.shared.name} ${TYPE_HINFO}`]);
  assert.deepEqual(fatals, []);
  await control.stop();
  server.close();
});

test('a server that is not up yet is asked again', async () => {
  const first = await listen(() => undefined);
  const { port } = first.address();
  first.close();
  await once(first, 'close');
  const { control, flag, words } = world(blockOf(port));
  words[control.shared.seenWord] = 7;
  control.serving();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(words[control.shared.seenWord], 0);
  const server = createSocket('udp4').unref();
  server.on('message', (octets, remote) => echo(octets, server, remote.port));
  server.bind(port, '127.0.0.1');
  await until(() => flag() === 0);
  await control.stop();
  server.close();
});

test('seen a third time the process ends, and says so once', async () => {
  const { control, shard, fatals, notices, words } = world(blockOf(5590));
  const plugins = [new Loop(shard, control.shared), new Loop(shard, control.shared)];
  words[control.shared.flagWord] = control.shared.token;
  const query = queryFor(control.shared.name, {
    type: TYPE_HINFO,
    remote: { address: '127.0.0.1', port: 58818, family: 4 },
  });
  const { next, asked } = chainEnd(answerOf());
  for (let i = 0; i < 4; i++) {
    assert.equal(fatals.length, i < 3 ? 0 : 1);
    await plugins[i % 2]!.answer(query, next);
  }
  assert.equal(asked.length, 4);
  assert.deepEqual(notices, ['127.0.0.1:58818', '127.0.0.1:58818']);
  assert.deepEqual(fatals, [
    `plugin/loop: Loop (127.0.0.1:58818 -> :5590) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${control.shared.name}"`,
  ]);
});

test('other names, other types and a probe that is over do not count', async () => {
  const { control, shard, words } = world(blockOf(53));
  const plugin = new Loop(shard, control.shared);
  const { next } = chainEnd(answerOf());
  const { flagWord, seenWord, token, name } = control.shared;
  words[flagWord] = token;
  await plugin.answer(queryFor('1.2.', { type: TYPE_HINFO }), next);
  await plugin.answer(queryFor(name, { type: TYPE_A }), next);
  words[flagWord] = 0;
  await plugin.answer(queryFor(name, { type: TYPE_HINFO }), next);
  assert.equal(words[seenWord], 0);
});

test('after a reload the old probe does not end the watch of the new one', async () => {
  const { control, services, words } = world(blockOf(1));
  control.serving();
  const newer = new LoopControl(blockOf(1), services, TIMES);
  assert.equal(newer.shared.flagWord, control.shared.flagWord);
  newer.serving();
  await control.stop();
  assert.equal(words[newer.shared.flagWord], newer.shared.token);
  await newer.stop();
  assert.equal(words[newer.shared.flagWord], 0);
});

test('no port, no probe', async () => {
  const { control, flag } = world(blockOf(0));
  control.serving();
  assert.equal(flag(), 0);
  await control.stop();
});

test('a block that plugin bind has left no address has no probe', async () => {
  const { control, flag } = world({ ...blockOf(53), keys: [] });
  control.serving();
  assert.equal(flag(), 0);
  await control.stop();
});

test('a bound address is asked there and named in the text', async () => {
  const server = await listen(echo);
  const { port } = server.address();
  const { control, fatals, flag } = world(blockOf(port, '.', `dns://127.0.0.1:${port}`));
  control.serving();
  await until(() => flag() === 0);
  control.onNotice('[::1]:5');
  assert.match(fatals[0]!, new RegExp(`\\(\\[::1\\]:5 -> 127\\.0\\.0\\.1:${port}\\)`));
  await control.stop();
  server.close();
});
