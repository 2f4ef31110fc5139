import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchedWriter, createLog, lineWriter, type Output, setDebug } from '../host/log.ts';

/** A pipe with room for `room` octets. */
class Pipe implements Output {
  text = '';
  room = Number.POSITIVE_INFINITY;
  sleptMs = 0;
  onSleep: (() => void) | undefined;
  failure: string | undefined;

  write(octets: Uint8Array): number {
    if (this.failure !== undefined) throw Object.assign(new Error(this.failure), { code: this.failure });
    if (this.room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const taken = Math.min(octets.length, this.room);
    this.room -= taken;
    this.text += Buffer.from(octets.subarray(0, taken)).toString();
    return taken;
  }

  sleep(ms: number): void {
    this.sleptMs += ms;
    this.onSleep?.();
  }
}

test('lines carry a level and a prefix, and stay one line', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  log.info('SIGTERM: Shutting down servers then terminating');
  const cache = log.withPrefix('plugin/cache');
  cache.warning('a\r\n  b');
  cache.withPrefix('plugin/forward').error('c');
  cache.fatal('d');
  cache.withPrefix('').info('e');
  log.plain('.:53');
  assert.deepEqual(lines, [
    '[INFO] SIGTERM: Shutting down servers then terminating\n',
    '[WARNING] plugin/cache: a b\n',
    '[ERROR] plugin/forward: c\n',
    '[FATAL] plugin/cache: d\n',
    '[INFO] e\n',
    '.:53\n',
  ]);
});

test('debug lines appear only while debugging is on', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  log.debug('one');
  setDebug(true);
  log.debug('two');
  setDebug(false);
  log.debug('three');
  assert.deepEqual(lines, ['[DEBUG] two\n']);
});

test('a full pipe is waited for', () => {
  const pipe = new Pipe();
  pipe.room = 4;
  pipe.onSleep = () => {
    if (pipe.sleptMs === 3) pipe.room = 100;
  };
  lineWriter(pipe)('0123456789\n');
  assert.equal(pipe.text, '0123456789\n');
  assert.equal(pipe.sleptMs, 3);
});

test('a pipe that stays full loses whole lines, waits once, and tells how many it lost', () => {
  const pipe = new Pipe();
  const write = lineWriter(pipe);
  pipe.room = 4;
  write('cut line\n');
  const waited = pipe.sleptMs;
  assert(waited > 0 && waited <= 2000);
  write('lost\n');
  const waitedTwice = pipe.sleptMs;
  write('lost too\n');
  assert.equal(pipe.sleptMs, waitedTwice, 'no more waiting while lines are being lost');
  pipe.room = Number.POSITIVE_INFINITY;
  write('back\n');
  assert.equal(pipe.text, 'cut line\n[WARNING] 2 log lines lost: standard output was full\nback\n');
});

test('a closed output is no error', () => {
  const pipe = new Pipe();
  const write = lineWriter(pipe);
  pipe.failure = 'EPIPE';
  write('a\n');
  pipe.failure = undefined;
  write('b\n');
  assert.equal(pipe.text, '');
});

test('lines of one turn go out together, in chunks of whole lines', async () => {
  const chunks: string[] = [];
  const count = () => chunks.length;
  const write = batchedWriter((chunk) => chunks.push(chunk));
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 9; i++) write(line);
  write(`${'y'.repeat(9000)}\n`);
  assert.equal(count(), 0);
  await Promise.resolve();
  assert.deepEqual(
    chunks.map((chunk) => chunk.length),
    [4000, 4000, 1000, 9001],
  );
  write('next\n');
  await Promise.resolve();
  assert.equal(chunks.at(-1), 'next\n');
});
