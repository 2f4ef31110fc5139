// Reading the body of a response that may break off, or fall silent.

import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { ProtocolError } from './protobuf.ts';

/** Reads until the end, or until `take` returns false. Rejects on a broken stream, and on one that is silent for `stallMs`. */
export async function readChunks(
  response: IncomingMessage,
  stallMs: number,
  take: (chunk: Buffer) => boolean,
): Promise<void> {
  const stalled = () => response.destroy(new ProtocolError(`nothing received for ${stallMs / 1000} s`));
  const timer = setTimeout(stalled, stallMs);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // No iteration: a promise for each of the many small pieces of a first load costs as much as what is in them.
  response.on('data', (chunk: Buffer) => {
    timer.refresh();
    try {
      if (response.destroyed || take(chunk)) return;
      resolve();
    } catch (error) {
      reject(error);
    }
    response.destroy();
  });
  finished(response, { writable: false }, (error) => (error == null ? resolve() : reject(error)));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** The whole body. Rejects with a ProtocolError if it is larger than `bytesMax`. */
export async function readBody(response: IncomingMessage, stallMs: number, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  await readChunks(response, stallMs, (chunk) => {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new ProtocolError(`a response is larger than ${bytesMax} octets`);
    chunks.push(chunk);
    return true;
  });
  return Buffer.concat(chunks);
}
