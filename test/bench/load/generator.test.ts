// The load process against responders in this process: what they did must be what the generator counted.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { Order, Outcome } from '../../../bench/load/order.ts';
import { answers } from '../../../bench/probe.ts';
import { freePort } from '../../e2e/support/ports.ts';

const run = promisify(execFile);
const load = resolve(import.meta.dirname, '../../../bench/load');
const directory = mkdtempSync(join(tmpdir(), 'wasmdns-generator-'));
after(() => rmSync(directory, { recursive: true }));

function questionFile(lines: readonly string[]): string {
  const file = join(directory, `${lines.length}-${lines[0]?.replace(/\W/g, '')}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const names = questionFile(Array.from({ length: 100 }, (_, number) => `svc-${number}.example. A NOERROR 1`));
const fresh = questionFile(['##########.example. A NOERROR 1']);

async function generate(order: Partial<Order>): Promise<Outcome> {
  const whole: Order = {
    ...{ mode: 'closed', port: 0, file: names, warmSeconds: 0, seconds: 0.5, window: 16, sockets: 3, rate: 0 },
    ...{ serverPids: [process.pid], isEcho: false, isCoreShared: true },
    ...order,
  };
  const { stdout } = await run(process.execPath, [join(load, 'main.ts'), JSON.stringify(whole)]);
  return JSON.parse(stdout) as Outcome;
}

/**
 * Nothing wrong, and the sums add up. A busy machine may stall either side for longer than the generator waits: such
 * queries are lost and their replies stray, but nothing may be counted twice or not at all.
 */
function checkSums(outcome: Outcome, inFlightMax: number): void {
  assert.equal(outcome.wrong, 0, outcome.firstWrong);
  assert.equal(outcome.received, outcome.right + outcome.stray);
  assert.ok(outcome.stray <= outcome.lost, `${outcome.stray} strays, ${outcome.lost} lost`);
  const inFlight = outcome.sent - outcome.right - outcome.lost;
  assert.ok(inFlight >= 0 && inFlight <= inFlightMax, `${inFlight} in flight at the end`);
}

/** The right answer to any question for an A RRset. */
function respond(query: Buffer): Buffer {
  const reply = Buffer.concat([query, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1])]);
  reply[2]! |= 0x84;
  reply[7] = 1;
  return reply;
}

/** Calls `react` for each query, in order; returns what it did with them. */
async function withUdp<Result>(
  react: (query: Buffer, turn: number) => Buffer[],
  work: (port: number, counts: { queries: number; replies: number }) => Promise<Result>,
): Promise<Result> {
  const socket = createSocket('udp4');
  const counts = { queries: 0, replies: 0 };
  socket.on('message', (query, from) => {
    for (const reply of react(query, counts.queries++)) {
      counts.replies++;
      socket.send(reply, from.port, from.address);
    }
  });
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  try {
    return await work(socket.address().port, counts);
  } finally {
    socket.close();
  }
}

test('closed loop: every answer counts, the sums add up', async () => {
  await withUdp(
    (query) => [respond(query)],
    async (port, counts) => {
      const outcome = await generate({ port });
      assert.ok(outcome.right > 100, `${outcome.right} answers`);
      checkSums(outcome, 3 * 16);
      assert.deepEqual(outcome.rcodes, { 0: outcome.right });
      assert.ok(counts.queries <= outcome.sent && counts.queries >= outcome.received);
      assert.ok(Math.abs(outcome.qps * outcome.seconds - outcome.right) < 1);
      assert.ok(outcome.serverCpuSeconds > 0);
    },
  );
});

test('closed loop: wrong rcodes, missing answers and foreign ids are no throughput', async () => {
  const spoil = (query: Buffer, turn: number): Buffer[] => {
    const reply = respond(query);
    if (turn % 10 === 3) reply[3]! |= 2;
    if (turn % 10 === 5) reply[7] = 0;
    if (turn % 10 !== 7) return [reply];
    const foreign = Buffer.from(reply);
    foreign.writeUInt16BE(query.readUInt16BE(0) ^ 0x8000, 0);
    return [foreign, reply];
  };
  await withUdp(spoil, async (port) => {
    const outcome = await generate({ port });
    assert.equal(outcome.received, outcome.right + outcome.wrong + outcome.stray);
    const share = outcome.wrong / (outcome.right + outcome.wrong);
    assert.ok(share > 0.15 && share < 0.25, `share of wrong answers: ${share}`);
    assert.ok(outcome.stray > 0 && outcome.stray < outcome.right);
    assert.match(outcome.firstWrong, /^svc-\d+\.example\. type 1: flags 85/);
  });
});

test('closed loop: lost queries free their place in the window', async () => {
  await withUdp(
    (query, turn) => (turn % 10 === 0 ? [] : [respond(query)]),
    async (port) => {
      const outcome = await generate({ port, seconds: 1.5 });
      // Without giving up, the windows would be full of lost queries after about 480 of them.
      assert.ok(outcome.right > 480, `${outcome.right} answers`);
      assert.ok(outcome.lost > 0);
      assert.equal(outcome.wrong, 0);
    },
  );
});

test('a fresh name is never asked twice', async () => {
  const seen = new Set<string>();
  let twice = 0;
  const note = (query: Buffer): Buffer[] => {
    const name = query.toString('latin1', 12, query.length - 4);
    if (seen.has(name)) twice++;
    seen.add(name);
    return [respond(query)];
  };
  await withUdp(note, async (port) => {
    const outcome = await generate({ port, file: fresh });
    assert.ok(outcome.right > 100);
    assert.equal(outcome.wrong, 0, outcome.firstWrong);
    assert.equal(twice, 0);
    assert.ok([...seen].every((name) => /^\d{10}$/.test(name.slice(1, 11)) && name.slice(12, 19) === 'example'));
  });
});

for (const isCoreShared of [true, false]) {
  test(`paced${isCoreShared ? '' : ', spinning'}: the rate is kept and latencies are in order`, async () => {
    await withUdp(
      (query) => [respond(query)],
      async (port) => {
        const outcome = await generate({ port, mode: 'paced', rate: 500, seconds: 1, sockets: 2, isCoreShared });
        // One 500th second late is one query less; a stall at the very end leaves more of them out, never any extra.
        assert.ok(outcome.sent >= 250 && outcome.sent <= 505, `${outcome.sent} queries`);
        checkSums(outcome, 250);
        const { p50Micros, p99Micros, meanMicros, maxMicros } = outcome.latency!;
        assert.ok(p50Micros > 0 && p50Micros <= p99Micros && p99Micros <= maxMicros && meanMicros <= maxMicros);
      },
    );
  });
}

/** A TCP responder whose replies leave in pieces of `piece` octets. */
async function withTcp<Result>(piece: number, work: (port: number, opened: () => number) => Promise<Result>) {
  const connections = new Set<Socket>();
  let opened = 0;
  const server = createServer({ noDelay: true }, (connection) => {
    opened++;
    connections.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => connections.delete(connection));
    let rest = Buffer.alloc(0);
    connection.on('data', (octets: Buffer) => {
      rest = Buffer.concat([rest, octets]);
      const replies: Buffer[] = [];
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const reply = respond(rest.subarray(2, 2 + rest.readUInt16BE(0)));
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        replies.push(length, reply);
        rest = rest.subarray(2 + rest.readUInt16BE(0));
      }
      const out = Buffer.concat(replies);
      for (let at = 0; at < out.length; at += piece) connection.write(out.subarray(at, at + piece));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  try {
    return await work(address.port, () => opened);
  } finally {
    for (const connection of connections) connection.destroy();
    server.close();
  }
}

for (const piece of [7, 65536]) {
  test(`tcp: pipelined over 5 connections, replies in pieces of ${piece} octets`, async () => {
    await withTcp(piece, async (port, opened) => {
      const outcome = await generate({ port, mode: 'tcp', sockets: 5 });
      assert.equal(opened(), 5);
      assert.ok(outcome.right > 100, `${outcome.right} answers`);
      checkSums(outcome, 5 * 16);
    });
  });
}

test('reconnect: one connection for each query', async () => {
  await withTcp(65536, async (port, opened) => {
    const outcome = await generate({ port, mode: 'reconnect', sockets: 4 });
    assert.ok(outcome.right > 20, `${outcome.right} answers`);
    checkSums(outcome, 4);
    assert.ok(opened() >= outcome.right && opened() <= outcome.right + 8, `${opened()} connections`);
  });
});

test('the echo answers the generator', async () => {
  const port = await freePort();
  const echo = spawn(process.execPath, [join(load, 'echo.ts'), String(port)], { stdio: 'inherit' });
  const ended = new Promise((done) => echo.once('exit', done));
  try {
    while (!(await answers(port, 'a. A NOERROR 0'))) assert.equal(echo.exitCode, null);
    const outcome = await generate({ port, isEcho: true, serverPids: [echo.pid!] });
    assert.ok(outcome.right > 100);
    checkSums(outcome, 3 * 16);
    assert.ok(outcome.serverCpuSeconds > 0);
  } finally {
    echo.kill('SIGKILL');
    await ended;
  }
});

test('an unknown mode and a bad file end with an error, not with figures', async () => {
  await assert.rejects(generate({ mode: 'bogus' as Order['mode'] }), /unknown mode "bogus"/);
  await assert.rejects(generate({ file: join(directory, 'missing') }), /ENOENT/);
});
