// Log lines on standard output, as CoreDNS prints them: `[INFO] plugin/x: text`, no time stamps. Every thread writes
// whole lines to descriptor 1 by itself, so the order is that of the events and nothing is lost when a thread ends.

import { writeSync } from 'node:fs';

/** One line each; line breaks in a text become spaces. None of the methods throws. */
export interface Log {
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /** Printed only while debugging is on, see setDebug(). */
  debug(text: string): void;
  /** Only prints; whoever calls it ends the process. */
  fatal(text: string): void;
  /** A line without a level: `.:53`, the banner. */
  plain(text: string): void;
  /** The same log with `PREFIX: ` in front of each text, in place of the prefix this one has; '' for none. */
  withPrefix(prefix: string): Log;
}

/** Takes one line, its line break included. */
export type LineWriter = (line: string) => void;

/** Log over any writer (tests). */
export function createLog(write: LineWriter, prefix = ''): Log {
  const head = prefix === '' ? '' : `${prefix}: `;
  const line = (level: string, text: string) => write(`${level}${head}${oneLine(text)}\n`);
  return {
    info: (text) => line('[INFO] ', text),
    warning: (text) => line('[WARNING] ', text),
    error: (text) => line('[ERROR] ', text),
    debug: (text) => {
      if (isDebugOn) line('[DEBUG] ', text);
    },
    fatal: (text) => line('[FATAL] ', text),
    plain: (text) => write(`${oneLine(text)}\n`),
    withPrefix: (other) => createLog(write, other),
  };
}

/** For the main thread: one write a line. */
export function stdoutLog(): Log {
  return createLog(lineWriter(systemOutput));
}

/** For shards: the lines of one turn of the event loop go out together, in whole lines. */
export function batchedStdoutLog(): Log {
  return createLog(batchedWriter(lineWriter(systemOutput)));
}

let isDebugOn = false;

/** Debug lines of the calling thread (CoreDNS plugin debug). */
export function setDebug(isOn: boolean): void {
  isDebugOn = isOn;
}

/** What a line writer needs of the system. */
export interface Output {
  /** As fs.writeSync(1, ...): octets taken; throws EAGAIN, EPIPE... */
  write(octets: Uint8Array): number;
  /** Blocks the thread. */
  sleep(ms: number): void;
}

/**
 * Writes whole lines. A full pipe is waited for up to WAIT_MS_MAX, then lines are dropped and their number told as soon
 * as there is room again; a closed descriptor swallows everything.
 */
export function lineWriter(output: Output): LineWriter {
  /** Rest of a line that was cut by a full pipe: must go out before anything else. */
  let rest: Uint8Array | undefined;
  let lost = 0;
  let isClosed = false;
  return (line) => {
    if (isClosed) return;
    try {
      // While lines are being lost, nobody waits for each of them again.
      const waitMs = lost === 0 ? WAIT_MS_MAX : 0;
      if (rest !== undefined) rest = writeAll(output, rest, waitMs);
      if (rest !== undefined) {
        lost += lineCount(line);
        return;
      }
      const told = lost === 0 ? '' : `[WARNING] ${lost} log lines lost: standard output was full\n`;
      const octets = Buffer.from(told + line);
      const left = writeAll(output, octets, waitMs);
      if (left === undefined) lost = 0;
      else if (left.length === octets.length) lost += lineCount(line);
      else {
        rest = left;
        lost = 0;
      }
    } catch {
      // EPIPE, EIO, EBADF: nobody reads; a server goes on without its log.
      isClosed = true;
    }
  };
}

/** How long a thread waits for a full pipe, in milliseconds: as long as a client waits before it asks again. */
const WAIT_MS_MAX = 1000;

/** Octets that a pipe takes without mixing them with another thread's (POSIX PIPE_BUF on Linux). */
const CHUNK_BYTES = 4096;

/** Collects the lines of one turn of the event loop and writes them in few calls. */
export function batchedWriter(write: LineWriter): LineWriter {
  let lines: string[] = [];
  const flush = () => {
    const batch = lines;
    lines = [];
    let chunk = '';
    for (const line of batch) {
      // UTF-16 units: names are printed in ASCII, and a chunk that is a little too long is only less atomic.
      if (chunk.length + line.length > CHUNK_BYTES) {
        if (chunk !== '') write(chunk);
        chunk = '';
      }
      chunk += line;
    }
    if (chunk !== '') write(chunk);
  };
  return (line) => {
    if (lines.length === 0) queueMicrotask(flush);
    lines.push(line);
  };
}

/** Returns what could not be written, undefined = all of it was. */
function writeAll(output: Output, octets: Uint8Array, waitMs: number): Uint8Array | undefined {
  let left = octets;
  let waitedMs = 0;
  while (left.length > 0) {
    const written = writeSome(output, left);
    if (written > 0) {
      left = left.subarray(written);
      continue;
    }
    if (waitedMs >= waitMs) return left;
    output.sleep(1);
    waitedMs++;
  }
  return undefined;
}

/** Octets taken; 0 = the pipe is full. */
function writeSome(output: Output, octets: Uint8Array): number {
  try {
    return output.write(octets);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EAGAIN' || code === 'EINTR') return 0;
    throw error;
  }
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

const systemOutput: Output = {
  write: (octets) => writeSync(1, octets),
  sleep: (ms) => {
    Atomics.wait(sleepCell, 0, 0, ms);
  },
};

function lineCount(lines: string): number {
  return lines.split('\n').length - 1;
}

function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/\s*[\r\n]+\s*/g, ' ') : text;
}
