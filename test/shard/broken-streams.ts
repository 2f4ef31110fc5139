// Clients as a TCP port meets them in the wild: half frames, garbage, resets, queries without a reader. At full size
// for whole-server tests: breakStreams({ port, count: 20_000, concurrency: 200 }).

import { connect, type Socket } from 'node:net';
import { framed, question } from './wire.ts';

export interface BrokenStreams {
  readonly port: number;
  readonly host?: string;
  readonly count: number;
  /** Connections at the same time. */
  readonly concurrency: number;
  /** Asked by those streams that ask something whole. */
  readonly name?: string;
}

type Breaking = (socket: Socket, name: string) => void;

const WAYS: readonly Breaking[] = [
  // Nothing at all, closed at once
  (socket) => socket.destroy(),
  // A reset without a word
  (socket) => socket.resetAndDestroy(),
  // Half a length, then the end
  (socket) => socket.end(Buffer.from([0])),
  // Half a frame, then a reset
  (socket, name) => socket.write(framed(question(name)).subarray(0, 11), () => socket.resetAndDestroy()),
  // The largest length and nothing behind it
  (socket) => socket.end(Buffer.from([0xff, 0xff])),
  // Garbage, some of which reads as frames
  (socket) => socket.end(Buffer.from(Array.from({ length: 700 }, (_, i) => (i * 167) & 0xff))),
  // Frames too short for a header
  (socket) => socket.end(Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(5)), framed(Buffer.alloc(11))])),
  // A whole query, and gone before the reply
  (socket, name) => socket.write(framed(question(name)), () => socket.resetAndDestroy()),
  // Many queries, no reader, then a reset
  (socket, name) => {
    socket.pause();
    socket.write(Buffer.concat(Array.from({ length: 50 }, () => framed(question(name)))), () =>
      socket.resetAndDestroy(),
    );
  },
  // A whole query, half-closed, read to the end
  (socket, name) => {
    socket.end(framed(question(name)));
    socket.resume();
  },
];

/** Resolves when every stream is over. */
export async function breakStreams(options: BrokenStreams): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < options.count) await breakOne(options, WAYS[next++ % WAYS.length]!);
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
}

function breakOne(
  { port, host = '127.0.0.1', name = 'broken.example.' }: BrokenStreams,
  breaking: Breaking,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => breaking(socket, name));
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });
}
