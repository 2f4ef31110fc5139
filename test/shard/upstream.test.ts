import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket as Stream } from 'node:net';
import { afterEach, test } from 'node:test';
import { UPSTREAM_BYTES } from '../../engine-as/shared/layout.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import type { UpstreamAddress, UpstreamListener } from '../../host/plugin/contract.ts';
import { ShardArea } from '../../host/shard/area.ts';
import { UpstreamSockets } from '../../host/shard/upstream.ts';

/** Where tests put messages: behind everything the sockets use. */
const MESSAGES_AT = 1_100_000;
const AREA_AT = 4096;

const native = loadSockets();
const natives: [string, NativeSockets | undefined][] = [['node:dgram', undefined]];
if (!('unavailable' in native)) natives.push(['koffi', native]);

/** What a test that failed has left open. */
const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

class NotedSockets extends UpstreamSockets {
  override connectUdp(remote: UpstreamAddress, listener: UpstreamListener) {
    const udp = super.connectUdp(remote, listener);
    opened.push(udp);
    return udp;
  }

  override connectTcp(remote: UpstreamAddress, timeoutMs: number, listener: UpstreamListener) {
    const tcp = super.connectTcp(remote, timeoutMs, listener);
    opened.push(tcp);
    return tcp;
  }
}

function setUp(sockets: NativeSockets | undefined) {
  const memory = new WebAssembly.Memory({ initial: 24, maximum: 24, shared: true });
  const area = new ShardArea(memory as unknown as { buffer: SharedArrayBuffer }, AREA_AT);
  return { area, upstreams: new NotedSockets({ area, sockets }) };
}

class Recorder implements UpstreamListener {
  readonly messages: Buffer[] = [];
  readonly lengths: number[] = [];
  readonly errors: string[] = [];
  opened = 0;
  closed = 0;
  readonly #area: ShardArea;

  constructor(area: ShardArea) {
    this.#area = area;
  }

  onMessage(offset: number, bytes: number): void {
    this.lengths.push(bytes);
    this.messages.push(Buffer.from(this.#area.octets.subarray(offset, offset + bytes)));
  }

  onError(text: string): void {
    this.errors.push(text);
  }

  onOpen(): void {
    this.opened++;
  }

  onClose(): void {
    this.closed++;
  }
}

async function datagramServer(onMessage: (octets: Buffer, port: number, socket: Socket) => void) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  socket.on('message', (octets, { port }) => onMessage(octets, port, socket));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.unref();
}

async function closedPort(): Promise<number> {
  const socket = await datagramServer(() => undefined);
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [name, sockets] of natives) {
  test(`UDP over ${name}: id and header word are replaced, the saved message stays`, async () => {
    const { area, upstreams } = setUp(sockets);
    const server = await datagramServer((octets, port, socket) => socket.send(octets, port, '127.0.0.1'));
    const seen = new Recorder(area);
    const udp = upstreams.connectUdp({ address: '127.0.0.1', port: server.address().port }, seen);
    const message = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    area.octets.set(message, MESSAGES_AT);
    assert.ok(udp.send(MESSAGES_AT, message.length, 0xabcd, 0x0120));
    assert.ok(udp.sendOctets(message, 0xffff, 0x8001));
    await until(() => seen.messages.length === 2);
    assert.deepEqual(
      seen.messages.map((octets) => octets.toString('hex')).sort((a, b) => a.localeCompare(b)),
      ['abcd012005060708090a0b0c0d', 'ffff800105060708090a0b0c0d'],
    );
    assert.deepEqual(area.octets.subarray(MESSAGES_AT, MESSAGES_AT + 13), message);
    assert.match(udp.localAddress, /^127\.0\.0\.1:\d+$/);
    udp.close();
    assert.equal(udp.send(MESSAGES_AT, 13, 1, 1), false);
    assert.equal(udp.sendOctets(message, 1, 1), false);
    udp.close();
    server.close();
  });

  test(`UDP over ${name}: many messages of one turn, over several batches, all come back`, async () => {
    const { area, upstreams } = setUp(sockets);
    const server = await datagramServer((octets, port, socket) => socket.send(octets, port, '127.0.0.1'));
    const seen = new Recorder(area);
    const udp = upstreams.connectUdp({ address: '127.0.0.1', port: server.address().port }, seen);
    for (let i = 0; i < 200; i++) {
      const at = MESSAGES_AT + i * 32;
      area.octets.fill(i, at, at + 20);
      if (i % 3 === 0) udp.sendOctets(new Uint8Array(20).fill(i), i, 0);
      else udp.send(at, 20, i, 0);
    }
    await until(() => seen.messages.length === 200);
    const ids = seen.messages.map((octets) => octets.readUInt16BE(0));
    assert.equal(new Set(ids).size, 200);
    assert.ok(seen.messages.every((octets) => octets.length === 20 && octets[19] === (octets.readUInt16BE(0) & 255)));
    udp.close();
    server.close();
  });

  test(`UDP over ${name}: a datagram longer than a slot comes whole`, async () => {
    const { area, upstreams } = setUp(sockets);
    const server = await datagramServer((_octets, port, socket) => {
      socket.send(Buffer.alloc(UPSTREAM_BYTES), port, '127.0.0.1');
      socket.send(Buffer.alloc(9000), port, '127.0.0.1');
    });
    const seen = new Recorder(area);
    const udp = upstreams.connectUdp({ address: '127.0.0.1', port: server.address().port }, seen);
    udp.sendOctets(new Uint8Array(12), 1, 0);
    await until(() => seen.lengths.length === 2);
    assert.deepEqual(seen.lengths, [UPSTREAM_BYTES, 9000]);
    udp.close();
    server.close();
  });

  test(`UDP over ${name}: a closed port is an error of the listener`, async () => {
    const { area, upstreams } = setUp(sockets);
    const seen = new Recorder(area);
    const udp = upstreams.connectUdp({ address: '127.0.0.1', port: await closedPort() }, seen);
    for (let i = 0; i < 100; i++) udp.sendOctets(new Uint8Array(12), i, 0);
    await until(() => seen.errors.length > 0);
    assert.ok(seen.errors.every((text) => text === 'connection refused'));
    udp.close();
  });

  test(`UDP over ${name}: closing in the middle of a batch ends it`, async () => {
    const { area, upstreams } = setUp(sockets);
    const server = await datagramServer((octets, port, socket) => {
      for (let i = 0; i < 10; i++) socket.send(octets, port, '127.0.0.1');
    });
    let count = 0;
    const listener: UpstreamListener = {
      onMessage: () => {
        count++;
        udp.close();
      },
      onError: assert.fail,
    };
    const udp = upstreams.connectUdp({ address: '127.0.0.1', port: server.address().port }, listener);
    udp.sendOctets(new Uint8Array(12), 1, 0);
    await until(() => count > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(count, 1);
    assert.equal(area.at, AREA_AT);
    server.close();
  });
}

test('an address that cannot be used is thrown', { skip: 'unavailable' in native && native.unavailable }, () => {
  const { area, upstreams } = setUp(native as NativeSockets);
  assert.throws(() => upstreams.connectUdp({ address: 'nowhere', port: 53 }, new Recorder(area)), RangeError);
  assert.throws(() => upstreams.connectUdp({ address: 'fe80::1%nosuch', port: 53 }, new Recorder(area)), RangeError);
});

async function streamServer(onStream: (stream: Stream) => void): Promise<Server> {
  const server = createServer(onStream);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.unref();
}

const portOf = (server: Server) => (server.address() as { port: number }).port;

test('TCP: lengths in front, messages in pieces and several in one piece', async () => {
  const { area, upstreams } = setUp(undefined);
  const received: Buffer[] = [];
  const server = await streamServer((stream) => {
    stream.on('data', (chunk) => received.push(chunk as Buffer));
    stream.setNoDelay();
    const first = Buffer.from('000c0102030405060708090a0b0c', 'hex');
    const rest = Buffer.concat([
      first,
      first,
      Buffer.from('ffff', 'hex'),
      Buffer.alloc(65535, 7),
      Buffer.from('0000', 'hex'),
    ]);
    stream.write(first.subarray(0, 1));
    setTimeout(() => stream.write(first.subarray(1, 9)), 10);
    setTimeout(() => stream.write(Buffer.concat([first.subarray(9), rest])), 20);
  });
  const seen = new Recorder(area);
  const tcp = upstreams.connectTcp({ address: '127.0.0.1', port: portOf(server) }, 5000, seen);
  await until(() => seen.opened === 1);
  area.octets.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], MESSAGES_AT);
  tcp.send(MESSAGES_AT, 13, 0xabcd, 0x0100);
  await until(() => seen.lengths.length === 5);
  assert.deepEqual(seen.lengths, [12, 12, 12, 65535, 0]);
  assert.deepEqual(seen.messages[0], Buffer.from('0102030405060708090a0b0c', 'hex'));
  assert.ok(seen.messages[3]!.every((octet) => octet === 7));
  await until(() => Buffer.concat(received).length === 15);
  assert.equal(Buffer.concat(received).toString('hex'), '000dabcd010005060708090a0b0c0d');
  assert.match(tcp.localAddress, /^127\.0\.0\.1:\d+$/);
  tcp.close();
  assert.equal(tcp.sendOctets(new Uint8Array(12), 1, 0), false);
  server.close();
});

test('TCP: refused, closed by the peer, and no more calls after close()', async () => {
  const { area, upstreams } = setUp(undefined);
  const refused = new Recorder(area);
  upstreams.connectTcp({ address: '127.0.0.1', port: await closedPort() }, 5000, refused);
  await until(() => refused.errors.length === 1);
  assert.deepEqual([refused.errors, refused.closed, refused.opened], [['connect: connection refused'], 0, 0]);
  const server = await streamServer((stream) => stream.end());
  const ended = new Recorder(area);
  upstreams.connectTcp({ address: '127.0.0.1', port: portOf(server) }, 5000, ended);
  await until(() => ended.closed === 1);
  assert.deepEqual([ended.opened, ended.errors], [1, []]);
  const silent = new Recorder(area);
  const tcp = upstreams.connectTcp({ address: '127.0.0.1', port: portOf(server) }, 5000, silent);
  tcp.close();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual([silent.opened, silent.closed, silent.errors], [0, 0, []]);
  server.close();
});
