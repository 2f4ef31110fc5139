// Reading configuration files: bounded, with the system's words for what went wrong.

import { closeSync, openSync, readSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { UserError } from '../errors.ts';

/** A configuration file beyond this size is a mistake (`/dev/zero`, a core file). */
export const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** The whole file as UTF-8. Throws UserError: `open X: no such file or directory`, `read X: is a directory`. */
export function readFileText(path: string): string {
  const fd = attempt('open', path, () => openSync(path, 'r'));
  try {
    return readDescriptorText(fd, path);
  } finally {
    closeSync(fd);
  }
}

/** The rest of an open file, pipe or terminal as UTF-8; `path` is for messages. Throws UserError. */
export function readDescriptorText(fd: number, path: string): string {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(65536);
    const bytes = attempt('read', path, () => readWhenReady(fd, chunk));
    if (bytes === 0) return Buffer.concat(chunks).toString('utf8');
    total += bytes;
    if (total > FILE_BYTES_MAX) throw new UserError(`read ${path}: more than ${FILE_BYTES_MAX} octets`);
    chunks.push(chunk.subarray(0, bytes));
  }
}

/** `no such file or directory` for a failed system call; the error's own message otherwise. */
export function systemErrorText(error: unknown): string {
  // libuv has its own words for this one.
  if (error instanceof Error && 'code' in error && error.code === 'EISDIR') return 'is a directory';
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
  if (typeof errno === 'number' && errno < 0) return getSystemErrorMessage(errno) ?? `errno ${-errno}`;
  return error instanceof Error ? error.message : String(error);
}

/** A pipe on standard input may be non-blocking; wait for it. */
function readWhenReady(fd: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function attempt<T>(call: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UserError(`${call} ${path}: ${systemErrorText(error)}`, { cause: error });
  }
}
