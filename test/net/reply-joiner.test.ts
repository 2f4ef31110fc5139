// Replies to one client with one length leave as one datagram that the kernel cuts up: what leaves, and what arrives.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, test } from 'node:test';
import { MMSGHDR_IOVLEN, MMSGHDR_STRIDE } from '../../engine-as/shared/layout.ts';
import { EIO } from '../../host/net/errno.ts';
import { isJoining, setJoining } from '../../host/net/segments.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import type { UdpTransport } from '../../host/net/transport.ts';
import { openUdpBatch } from '../../host/net/udp-batch.ts';
import { until } from '../shard/server.ts';
import { TestArea } from './area.ts';

const loaded = loadSockets();
const skip = 'unavailable' in loaded ? 'no native sockets on this machine' : false;
const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

const EPERM = 1;

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  setJoining(undefined);
});

type SendMmsg = NativeSockets['sendmmsg'];

/** A server that sends every datagram back once `expected` of them have come, in batches as they were read. */
class Echo {
  readonly transport: UdpTransport;
  /** For each call of sendmmsg(): how many replies each of its headers stands for. */
  readonly calls: number[][] = [];
  readonly #area = new TestArea();

  constructor(address: string, send?: (real: SendMmsg, ...call: Parameters<SendMmsg>) => number) {
    const sockets = loaded as NativeSockets;
    const real: SendMmsg = (fd, headers, count) => sockets.sendmmsg(fd, headers, count);
    const sendmmsg: SendMmsg = (fd, headers, count) => {
      this.calls.push(sizesOf(headers, count));
      return send === undefined ? real(fd, headers, count) : send(real, fd, headers, count);
    };
    const bound = new Proxy(sockets, {
      get: (target, name) => {
        if (name === 'sendmmsg') return sendmmsg;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    this.transport = openUdpBatch(bound, this.#area.views, { address, port: 0 });
    opened.push(this.transport);
  }

  /** Sends back what has come. */
  answer(): void {
    const count = this.transport.receive();
    for (let i = 0; i < count; i++) this.transport.queue(this.#area.echo(i, this.transport));
    this.transport.flush();
    this.#area.rearm();
  }
}

function sizesOf(headers: Uint8Array, count: number): number[] {
  const view = new DataView(headers.buffer, headers.byteOffset);
  return Array.from({ length: count }, (_, i) => {
    return Number(view.getBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOVLEN, true));
  });
}

class Client {
  readonly socket: Socket;
  readonly received: { text: string; from: string }[] = [];
  #sent = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (octets, { address }) => this.received.push({ text: octets.toString(), from: address }));
    opened.push(socket);
  }

  static async open(address: string): Promise<Client> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new Client(socket);
  }

  /** Different messages of these lengths; resolves when the kernel has them. */
  async send(lengths: readonly number[], port: number, address: string): Promise<string[]> {
    const texts = lengths.map((length) => String(this.#sent++).padEnd(length, '.'));
    await Promise.all(
      texts.map((text) => new Promise((resolve) => this.socket.send(text, port, address, () => resolve(undefined)))),
    );
    return texts;
  }

  async expect(texts: readonly string[], from: string): Promise<void> {
    await until('the replies', () => this.received.length >= texts.length);
    assert.deepEqual(this.received.map(({ text }) => text).sort(), texts.toSorted());
    for (const each of this.received) assert.equal(each.from, from);
    this.received.length = 0;
  }
}

test('replies to one client with one length leave together', { skip }, async () => {
  const echo = new Echo('127.0.0.1');
  const one = await Client.open('127.0.0.1');
  const other = await Client.open('127.0.0.1');
  const { port } = echo.transport;
  const texts = await one.send([40, 41, 40, 40, 500, 41], port, '127.0.0.1');
  const others = await other.send([40, 40, 41], port, '127.0.0.1');
  echo.answer();
  await one.expect(texts, '127.0.0.1');
  await other.expect(others, '127.0.0.1');
  assert.deepEqual(echo.calls, [[3, 2, 1, 2, 1]]);
});

test('a whole batch leaves as one datagram; replies that differ leave as they are', { skip }, async () => {
  const echo = new Echo('127.0.0.1');
  const client = await Client.open('127.0.0.1');
  const { port } = echo.transport;
  for (const [lengths, sizes] of [
    [Array.from({ length: 64 }, () => 50), [64]],
    [
      [20, 21, 22, 23],
      [1, 1, 1, 1],
    ],
    [[20], [1]],
    [[20, 20], [2]],
  ] as const) {
    echo.calls.length = 0;
    const texts = await client.send(lengths, port, '127.0.0.1');
    echo.answer();
    await client.expect(texts, '127.0.0.1');
    assert.deepEqual(echo.calls, [sizes]);
  }
  assert.equal(echo.transport.unsentCount, 0);
});

test('on a wildcard socket each address that was asked answers for itself', { skip }, async () => {
  const echo = new Echo('');
  const { port } = echo.transport;
  const client = await Client.open('127.0.0.1');
  const second = await client.send([30, 30, 30], port, '127.0.0.2');
  echo.answer();
  await client.expect(second, '127.0.0.2');
  const mixed = [
    ...(await client.send([30, 30], port, '127.0.0.2')),
    ...(await client.send([30, 30, 30], port, '127.0.0.3')),
  ];
  echo.answer();
  await until('the replies', () => client.received.length === 5);
  const froms = client.received.map(({ text, from }) => [text, from]).sort();
  assert.deepEqual(froms, mixed.map((text, i) => [text, i < 2 ? '127.0.0.2' : '127.0.0.3']).sort());
  assert.deepEqual(echo.calls, [[3], [2, 3]]);
  if (!hasIpv6) return;
  const six = await Client.open('::1');
  const texts = await six.send([30, 30, 30, 31], port, '::1');
  echo.answer();
  await six.expect(texts, '::1');
  assert.deepEqual(echo.calls.at(-1), [3, 1]);
});

test('a route that cannot cut a datagram up gets each reply once, and no joined one from then on', {
  skip,
}, async () => {
  const echo = new Echo('127.0.0.1', (real, fd, headers, count) => {
    // The kernel stops at the first header that it refuses
    const refused = sizesOf(headers, count).findIndex((size) => size > 1);
    if (refused === 0) return -EIO;
    return real(fd, headers, refused < 0 ? count : refused);
  });
  const client = await Client.open('127.0.0.1');
  const { port } = echo.transport;
  const texts = await client.send([40, 41, 41, 42, 41], port, '127.0.0.1');
  echo.answer();
  await client.expect(texts, '127.0.0.1');
  assert.equal(isJoining(), false);
  const later = await client.send([41, 41, 41], port, '127.0.0.1');
  echo.answer();
  await client.expect(later, '127.0.0.1');
  assert.equal(echo.transport.unsentCount, 0);
  assert.deepEqual(echo.calls, [[1, 3, 1], [3, 1], [1], [1], [1], [1], [1, 1, 1]]);
});

test('a joined datagram that is refused for another reason counts as all its replies', { skip }, async () => {
  let refusals = 1;
  const echo = new Echo('127.0.0.1', (real, fd, headers, count) => {
    return refusals-- > 0 ? -EPERM : real(fd, headers, count);
  });
  const client = await Client.open('127.0.0.1');
  const texts = await client.send([40, 40, 40, 41, 41], echo.transport.port, '127.0.0.1');
  echo.answer();
  await client.expect(texts.slice(3), '127.0.0.1');
  assert.equal(echo.transport.unsentCount, 3);
  assert.equal(isJoining(), true);
});
