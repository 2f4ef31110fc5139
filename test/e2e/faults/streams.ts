// TCP streams that break off in every way a client can break them off.

import { connect } from 'node:net';
import { forEach } from '../support/api-client.ts';
import { frame, TcpStream } from '../support/dns-client.ts';
import { composeQuery } from '../support/query.ts';

const query = frame(composeQuery({ name: 'web.demo.svc.cluster.local', type: 1, flags: 0x0100 }));
const forwarded = frame(composeQuery({ name: 'slow-stream.example.org', type: 1, flags: 0x0100 }));
const reply = frame(composeQuery({ name: '.', type: 1, flags: 0x8000 }));

const WAYS: readonly ((stream: TcpStream) => Promise<void> | void)[] = [
  (stream) => stream.destroy(),
  (stream) => stream.reset(),
  (stream) => writeAndEnd(stream, Uint8Array.of(0)),
  (stream) => writeAndReset(stream, query.subarray(0, query.length - 5)),
  (stream) => writeAndEnd(stream, Buffer.concat([Uint8Array.of(0xff, 0xff), query.subarray(2)])),
  (stream) => writeAndReset(stream, reply),
  (stream) => writeAndReset(stream, query),
  (stream) => writeAndReset(stream, forwarded),
  (stream) => writeAndEnd(stream, Buffer.alloc(100, 0xa5)),
  (stream) => writeAndEnd(stream, Buffer.alloc(20)),
  (stream) => writeAndReset(stream, Buffer.concat(Array.from({ length: 50 }, () => query))),
  async (stream) => {
    stream.write(query);
    await stream.nextFrame(3000);
    stream.reset();
  },
  async (stream) => {
    stream.write(Buffer.concat([query, query.subarray(0, 7)]));
    await stream.nextFrame(3000);
    stream.destroy();
  },
];

/** Opens `count` streams, `concurrency` at a time, and breaks each. */
export async function breakStreams(port: number, count: number, concurrency: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n);
  await forEach(numbers, concurrency, async (n) => {
    // Source addresses of 127/8 in turn: one alone has too few ports for streams that linger in TIME_WAIT.
    const stream = await open(port, `127.0.0.${1 + (n % 16)}`);
    if (stream !== undefined) await WAYS[n % WAYS.length]!(stream);
  });
}

async function open(port: number, localAddress: string): Promise<TcpStream | undefined> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const stream = new TcpStream(socket);
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  return isOpen ? stream : undefined;
}

async function writeAndEnd(stream: TcpStream, octets: Uint8Array): Promise<void> {
  stream.write(octets);
  await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
}

async function writeAndReset(stream: TcpStream, octets: Uint8Array): Promise<void> {
  stream.write(octets);
  await new Promise((resolve) => setImmediate(resolve));
  stream.reset();
}
