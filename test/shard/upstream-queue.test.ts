import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { MMSGHDR_CONTROLLEN, MMSGHDR_IOVLEN, MMSGHDR_STRIDE } from '../../engine-as/shared/layout.ts';
import { EIO } from '../../host/net/errno.ts';
import { NativePointer } from '../../host/net/native-pointer.ts';
import { learnJoining, setJoining } from '../../host/net/segments.ts';
import { AF_INET } from '../../host/net/socket-address.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import { UpstreamQueue } from '../../host/shard/upstream-queue.ts';

const SOCKETS = loadSockets();
const skip = 'unavailable' in SOCKETS ? 'no native sockets on this machine' : false;

/** Message i of some length, filled with its number. */
function message(i: number, bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(i & 0xff);
}

/** Sends messages of these lengths from shared memory; returns what arrives, by id. */
async function deliver(lengths: readonly number[], change: (sockets: NativeSockets) => NativeSockets) {
  const sockets = SOCKETS as NativeSockets;
  const memory = new Uint8Array(new SharedArrayBuffer(1 << 20));
  const server = createSocket('udp4');
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const arrived = new Map<number, Buffer>();
  const all = new Promise<void>((resolve) => {
    server.on('message', (octets) => {
      arrived.set(octets.readUInt16BE(0), Buffer.from(octets));
      if (arrived.size === lengths.length) resolve();
    });
  });
  const fd = sockets.openDatagram(AF_INET);
  try {
    sockets.connect(fd, AF_INET, '127.0.0.1', server.address().port);
    const queue = new UpstreamQueue(change(sockets), new NativePointer(sockets, memory));
    let at = 0;
    lengths.forEach((bytes, i) => {
      memory.set(message(i, bytes), at);
      queue.push(at, bytes, 1000 + i, 0x0120);
      at += bytes;
    });
    assert.equal(queue.sendTo(fd), 0);
    await all;
  } finally {
    sockets.close(fd);
    server.close();
  }
  lengths.forEach((bytes, i) => {
    const octets = arrived.get(1000 + i)!;
    const expected = Buffer.from(message(i, bytes));
    expected.writeUInt16BE(1000 + i, 0);
    expected.writeUInt16BE(0x0120, 2);
    assert.deepEqual(octets, expected, `message ${i}`);
  });
}

type SendMmsg = NativeSockets['sendmmsg'];

/** The sockets with another sendmmsg(). */
function withSend(sockets: NativeSockets, sendmmsg: SendMmsg): NativeSockets {
  return Object.assign(Object.create(sockets) as NativeSockets, {
    sendmmsg,
    addressOf: (octets: Uint8Array) => sockets.addressOf(octets),
    waitWritable: (fd: number, milliseconds: number) => sockets.waitWritable(fd, milliseconds),
  });
}

/** Messages that each header of a call stands for. */
function runsOf(headers: Uint8Array, count: number): number[] {
  const view = new DataView(headers.buffer, headers.byteOffset);
  return Array.from({ length: count }, (_, i) => {
    const run = Number(view.getBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOVLEN, true)) / 2;
    const control = Number(view.getBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_CONTROLLEN, true));
    assert.equal(control !== 0, run > 1);
    return run;
  });
}

/** Notes the shape of each call. */
function watched(calls: number[][]): (sockets: NativeSockets) => NativeSockets {
  return (sockets) =>
    withSend(sockets, (fd, headers, count) => {
      calls.push(runsOf(headers, count));
      return sockets.sendmmsg(fd, headers, count);
    });
}

test('messages of one length leave together, the others one by one', { skip }, async () => {
  setJoining(true);
  const cases: [number[], number[][]][] = [
    [Array.from({ length: 64 }, () => 40), [[64]]],
    [[30], [[1]]],
    [[30, 30], [[1, 1]]],
    [
      [30, 30, 30, 31, 32, 32, 33, 33, 33, 33],
      [[3], [1, 1, 1], [4]],
    ],
    [
      [640, 50, 50, 50],
      [[1], [3]],
    ],
    [[1400, 1400, 1400], [[1, 1, 1]]],
  ];
  for (const [lengths, expected] of cases) {
    const calls: number[][] = [];
    await deliver(lengths, watched(calls));
    assert.deepEqual(calls, expected, lengths.join(' '));
  }
});

test('a route that refuses joined messages gets them one by one, from then on', { skip }, async () => {
  setJoining(true);
  let refused = 0;
  const calls: number[][] = [];
  const refusing = (sockets: NativeSockets): NativeSockets => {
    const inner = watched(calls)(sockets);
    return withSend(sockets, (fd, headers, count) => {
      if (runsOf(headers, 1)[0] === 1) return inner.sendmmsg(fd, headers, count);
      refused++;
      return -EIO;
    });
  };
  await deliver([40, 40, 40, 40, 41], refusing);
  await deliver([40, 40, 40, 40], refusing);
  assert.equal(refused, 1);
  assert.deepEqual(calls, [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1],
  ]);
  setJoining(true);
});

test('a kernel that does not know joined messages gets none', { skip }, async () => {
  const sockets = SOCKETS as NativeSockets;
  const fd = sockets.openDatagram(AF_INET);
  const old = { ...sockets, option: () => assert.fail('protocol not available') } as NativeSockets;
  const calls: number[][] = [];
  setJoining(undefined);
  await deliver([40, 40, 40], watched(calls));
  learnJoining(old, fd);
  // It is asked once
  learnJoining(sockets, fd);
  await deliver([40, 40, 40], watched(calls));
  setJoining(undefined);
  learnJoining(sockets, fd);
  await deliver([40, 40, 40], watched(calls));
  sockets.close(fd);
  assert.deepEqual(calls, [[1, 1, 1], [1, 1, 1], [3]]);
});
