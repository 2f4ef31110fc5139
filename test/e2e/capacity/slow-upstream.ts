/**
 * An upstream that takes its time: `node slow-upstream.ts PORT DELAY_MS` answers every question with one A record after
 * the delay; a negative delay is silence. Runs as a process of its own, so that its work is nobody else's.
 */
import { createSocket } from 'node:dgram';

const TICK_MS = 5;
const ANSWER = Buffer.from('c00c000100010000001e0004c000020a', 'hex');
/** QR, RD, RA; one question, one answer. */
const HEAD = Buffer.from('81800001000100000000', 'hex');

interface Held {
  readonly dueMs: number;
  readonly octets: Buffer;
  readonly port: number;
  readonly address: string;
}

const port = Number(process.argv[2]);
const delayMs = Number(process.argv[3]);
let held: Held[] = [];

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
socket.on('message', (octets, remote) => {
  if (delayMs < 0 || octets.length < 17) return;
  held.push({ dueMs: performance.now() + delayMs, octets, port: remote.port, address: remote.address });
});
socket.on('error', () => {});
socket.bind({ port, address: '127.0.0.1' });

setInterval(() => {
  const nowMs = performance.now();
  let due = 0;
  for (; due < held.length && held[due]!.dueMs <= nowMs; due++) {
    const { octets, port: to, address } = held[due]!;
    socket.send(Buffer.concat([octets.subarray(0, 2), HEAD, question(octets), ANSWER]), to, address, () => {});
  }
  if (due > 0) held = held.slice(due);
}, TICK_MS);

/** Name, type and class of the only question. */
function question(octets: Buffer): Buffer {
  let at = 12;
  while (at < octets.length && octets[at] !== 0) at += 1 + octets[at]!;
  return octets.subarray(12, at + 5);
}
