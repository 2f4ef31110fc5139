// Both UDP transports do the same things; where they cannot, the test says so.

import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, test } from 'node:test';
import { BATCH, LARGE_OUT, RECEIVE_BYTES } from '../../engine-as/shared/layout.ts';
import { encodeSocketAddress } from '../../host/net/socket-address.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import type { UdpTransport } from '../../host/net/transport.ts';
import { openUdp } from '../../host/net/udp.ts';
import { openUdpBatch } from '../../host/net/udp-batch.ts';
import { until } from '../shard/server.ts';
import { TestArea } from './area.ts';

const loaded = loadSockets();
const native: NativeSockets | undefined = 'unavailable' in loaded ? undefined : loaded;
const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));
const noIpv6 = hasIpv6 ? false : 'this machine has no ::1';

/** What a test that failed has left open. */
const opened: UdpTransport[] = [];
afterEach(() => {
  for (const transport of opened.splice(0)) transport.close();
});

for (const kind of ['batch', 'dgram'] as const) {
  const sockets = kind === 'batch' ? native : undefined;
  const skip = kind === 'batch' && native === undefined ? 'batched system calls are not available here' : false;

  const open = async (area: TestArea, address: string, port = 0): Promise<UdpTransport> => {
    const transport = await openUdp({ sockets, views: area.views, nativeBase: area.nativeBase }, { address, port });
    opened.push(transport);
    return transport;
  };

  test(`${kind}: every message comes once, in batches, and goes back to its sender`, { skip }, async () => {
    const area = new TestArea();
    const transport = await open(area, '127.0.0.1');
    const client = await bindClient('127.0.0.1');
    const batches: number[] = [];
    transport.watch(() => {
      for (let count = transport.receive(); count > 0; count = transport.receive()) {
        batches.push(count);
        for (let i = 0; i < count; i++) transport.queue(area.echo(i, transport));
        transport.flush();
        area.rearm();
      }
    });
    const replies = collect(client);
    for (let i = 0; i < 300; i++) client.send(Buffer.from(`message ${i}`), transport.port, '127.0.0.1');
    await until('300 replies', () => replies.length === 300);
    assert.deepEqual(
      new Set(replies.map(({ text }) => text)),
      new Set(Array.from({ length: 300 }, (_, i) => `message ${i}`)),
    );
    assert.ok(batches.every((count) => count <= BATCH));
    assert.ok(batches.length < 300, `${batches.length} batches`);
    assert.equal(transport.unsentCount, 0);
    transport.close();
    client.close();
  });

  test(`${kind}: a message longer than a query may be is cut`, { skip }, async () => {
    const area = new TestArea();
    const transport = await open(area, '127.0.0.1');
    const client = await bindClient('127.0.0.1');
    const seen: Uint8Array[] = [];
    transport.watch(() => {
      const count = transport.receive();
      for (let i = 0; i < count; i++) seen.push(area.octets(i));
      area.rearm();
    });
    const long = Buffer.alloc(600, 7);
    client.send(long, transport.port, '127.0.0.1');
    client.send(Buffer.alloc(0), transport.port, '127.0.0.1');
    client.send(Buffer.from('short'), transport.port, '127.0.0.1');
    await until('three messages', () => seen.length === 3);
    assert.deepEqual(new Set(seen.map((each) => each.length)), new Set([RECEIVE_BYTES, 0, 5]));
    transport.close();
    client.close();
  });

  test(`${kind}: replies of any size leave, also more than the queue holds`, { skip }, async () => {
    const area = new TestArea();
    const transport = await open(area, '127.0.0.1');
    const client = await bindClient('127.0.0.1');
    const replies = collect(client);
    const sockaddrAt = area.at + LARGE_OUT + 66000;
    const { memory } = area.views;
    const sockaddrBytes = encodeSocketAddress(memory, sockaddrAt, '127.0.0.1', client.address().port);
    const messageAt = area.at + LARGE_OUT;
    const sizes = [65000, 4097, 64000, 65000, 12, ...Array.from({ length: 70 }, () => 700)];
    for (const bytes of sizes) {
      memory.fill(bytes & 0xff, messageAt, messageAt + bytes);
      transport.queue({ messageAt, bytes, sockaddrAt, sockaddrBytes, controlAt: 0, controlBytes: 0 });
    }
    transport.flush();
    await until('all replies', () => replies.length === sizes.length);
    const bySize = (a: number, b: number) => a - b;
    assert.deepEqual(replies.map(({ octets }) => octets.length).sort(bySize), sizes.toSorted(bySize));
    for (const { octets } of replies) assert.ok(octets.every((octet) => octet === (octets.length & 0xff)));
    transport.close();
    client.close();
  });

  test(`${kind}: a reply that cannot be sent is counted and costs no other`, { skip }, async () => {
    const area = new TestArea();
    const transport = await open(area, '127.0.0.1');
    const client = await bindClient('127.0.0.1');
    const replies = collect(client);
    const { memory } = area.views;
    const messageAt = area.at + LARGE_OUT;
    const sockaddrAt = messageAt + 66000;
    const send = (address: string, port: number): void => {
      const sockaddrBytes = encodeSocketAddress(memory, sockaddrAt, address, port);
      transport.queue({ messageAt, bytes: 20, sockaddrAt, sockaddrBytes, controlAt: 0, controlBytes: 0 });
    };
    const { port } = client.address();
    send('127.0.0.1', port);
    // Broadcast without SO_BROADCAST is refused by the kernel
    send('255.255.255.255', port);
    send('127.0.0.1', port);
    transport.flush();
    await until('two replies and one refusal', () => replies.length === 2 && transport.unsentCount === 1);
    // A port nobody listens on: the error comes back later and must not stop anything
    send('127.0.0.1', 1);
    transport.flush();
    assert.equal(transport.receive(), 0);
    send('127.0.0.1', port);
    transport.flush();
    await until('the next reply', () => replies.length === 3);
    transport.close();
    client.close();
  });

  test(`${kind}: a port that another program holds is found`, { skip }, async () => {
    const area = new TestArea();
    const other = await bindClient('127.0.0.1');
    const { port } = other.address();
    await assert.rejects(open(area, '127.0.0.1', port), {
      name: 'ListenError',
      message: `ListenPacket: listen udp 127.0.0.1:${port}: bind: address already in use`,
    });
    await assert.rejects(open(area, '', port), {
      message: `ListenPacket: listen udp :${port}: bind: address already in use`,
    });
    other.close();
    await assert.rejects(open(area, '192.0.2.77', 0), {
      message: 'ListenPacket: listen udp 192.0.2.77:0: bind: cannot assign requested address',
    });
  });

  test(`${kind}: two shards share a port`, { skip }, async () => {
    const first = await open(new TestArea(), '127.0.0.1');
    const second = await open(new TestArea(), '127.0.0.1', first.port);
    assert.equal(second.port, first.port);
    first.close();
    second.close();
  });

  test(`${kind}: may be closed while it calls back`, { skip }, async () => {
    const area = new TestArea();
    const transport = await open(area, '127.0.0.1');
    const client = await bindClient('127.0.0.1');
    const closed = new Promise<void>((resolve) => {
      transport.watch(() => {
        transport.close();
        assert.equal(transport.receive(), 0);
        transport.flush();
        transport.close();
        resolve();
      });
    });
    client.send(Buffer.from('x'), transport.port, '127.0.0.1');
    await closed;
    client.close();
  });
}

const noBatch = native === undefined ? 'batched system calls are not available here' : false;

test('a wildcard socket answers from the address that was asked', { skip: noBatch }, async (context) => {
  for (const { useIpv6, addresses, controlBytes } of [
    { useIpv6: true, addresses: ['127.0.0.2', '127.0.0.3', '::1'], controlBytes: 40 },
    { useIpv6: false, addresses: ['127.0.0.2', '127.0.0.3'], controlBytes: 32 },
  ]) {
    await context.test(useIpv6 ? 'dual stack' : 'without IPv6', { skip: useIpv6 && noIpv6 }, async () => {
      const area = new TestArea();
      const transport = openUdpBatch(native!, area.views, { address: '', port: 0 }, useIpv6);
      assert.equal(transport.controlBytes, controlBytes);
      transport.watch(() => {
        const count = transport.receive();
        for (let i = 0; i < count; i++) transport.queue(area.echo(i, transport));
        transport.flush();
        area.rearm();
      });
      for (const address of addresses) {
        const client = await bindClient(address.includes(':') ? '::1' : '127.0.0.1');
        const replies = collect(client);
        client.send(Buffer.from('who'), transport.port, address);
        await until(`a reply from ${address}`, () => replies.length === 1);
        assert.equal(replies[0]!.remote.address, address);
        assert.equal(replies[0]!.remote.port, transport.port);
        client.close();
      }
      assert.equal(transport.unsentCount, 0);
      transport.close();
    });
  }
});

test('without koffi a wildcard socket answers from the address that the system chooses', async () => {
  const area = new TestArea();
  const plan = { sockets: undefined, views: area.views, nativeBase: area.nativeBase };
  const transport = await openUdp(plan, { address: '', port: 0 });
  opened.push(transport);
  transport.watch(() => {
    const count = transport.receive();
    for (let i = 0; i < count; i++) transport.queue(area.echo(i, transport));
    transport.flush();
    area.rearm();
  });
  const client = await bindClient('127.0.0.1');
  const replies = collect(client);
  client.send(Buffer.from('who'), transport.port, '127.0.0.2');
  await until('a reply', () => replies.length === 1);
  assert.equal(replies[0]!.remote.address, '127.0.0.1');
  client.close();
});

test('an IPv6 address does not take IPv4 queries', { skip: noBatch || noIpv6 }, async () => {
  const transport = openUdpBatch(native!, new TestArea().views, { address: '::1', port: 0 });
  assert.equal(transport.controlBytes, 0);
  const other = createSocket('udp4').bind(transport.port, '127.0.0.1');
  await once(other, 'listening');
  other.close();
  transport.close();
});

async function bindClient(address: string): Promise<Socket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket.unref();
}

function collect(client: Socket): { readonly text: string; readonly octets: Buffer; readonly remote: RemoteInfo }[] {
  const replies: { text: string; octets: Buffer; remote: RemoteInfo }[] = [];
  client.on('message', (octets, remote) => replies.push({ text: octets.toString(), octets, remote }));
  return replies;
}
