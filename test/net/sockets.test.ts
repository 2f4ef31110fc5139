import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { errnoText, errorText } from '../../host/net/errno.ts';
import { closeLedger, createLedger } from '../../host/net/ledger.ts';
import { AF_INET } from '../../host/net/socket-address.ts';
import { loadSockets, SO_RCVBUF, SOL_SOCKET } from '../../host/net/sockets.ts';

const ledger = createLedger(4);
const loaded = loadSockets(ledger);
const skip = 'unavailable' in loaded ? loaded.unavailable : false;
const sockets = 'unavailable' in loaded ? undefined! : loaded;

test('descriptors stand in the ledger until they are closed', { skip }, () => {
  const before = readdirSync('/proc/self/fd').length;
  const first = sockets.openDatagram(AF_INET);
  const second = sockets.openDatagram(AF_INET);
  assert.deepEqual([...ledger], [first + 1, second + 1, 0, 0]);
  sockets.close(first);
  assert.deepEqual([...ledger], [0, second + 1, 0, 0]);
  const main = loadSockets();
  assert.ok(!('unavailable' in main));
  assert.equal(closeLedger(main, ledger), 1);
  assert.deepEqual([...ledger], [0, 0, 0, 0]);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a full ledger refuses another socket and leaks none', { skip }, () => {
  const before = readdirSync('/proc/self/fd').length;
  const open = Array.from({ length: 4 }, () => sockets.openDatagram(AF_INET));
  assert.throws(() => sockets.openDatagram(AF_INET), /more than 4 native sockets/);
  for (const fd of open) sockets.close(fd);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('errors carry the call and the words of Go', { skip }, () => {
  const fd = sockets.openDatagram(AF_INET);
  assert.throws(() => sockets.bind(fd, AF_INET, '192.0.2.9', 0), {
    name: 'SocketError',
    message: 'bind: cannot assign requested address',
    call: 'bind',
    errno: 99,
  });
  assert.throws(() => sockets.setOption(fd, SOL_SOCKET, 9999, 1), /setsockopt: protocol not available/);
  sockets.setOption(fd, SOL_SOCKET, SO_RCVBUF, 100_000);
  assert.ok(sockets.option(fd, SOL_SOCKET, SO_RCVBUF) >= 100_000);
  sockets.bind(fd, AF_INET, '127.0.0.1', 0);
  assert.equal(sockets.localAddress(fd).address, '127.0.0.1');
  assert.ok(sockets.localAddress(fd).port > 0);
  assert.equal(sockets.waitWritable(fd, 100), true);
  sockets.connect(fd, AF_INET, '127.0.0.1', 9);
  sockets.close(fd);
  assert.throws(() => sockets.close(fd), /close: bad file descriptor/);
});

test('errno texts', () => {
  assert.equal(errnoText(111), 'connection refused');
  assert.equal(errnoText(9999), 'errno 9999');
  assert.equal(errorText(Object.assign(new Error('x'), { code: 'EADDRINUSE' })), 'address already in use');
  assert.equal(errorText(new Error('something else')), 'something else');
});

test('discarded pages read 0, and what surrounds them stays', { skip }, () => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  const octets = new Uint8Array(memory.buffer).fill(7);
  sockets.discard(octets.subarray(100_000, 900_000));
  // Whole pages of 64 KiB
  for (const at of [0, 99_999, 2 * 65536 - 1, 13 * 65536, 900_000, octets.length - 1]) assert.equal(octets[at], 7);
  for (const at of [2 * 65536, 500_000, 13 * 65536 - 1]) assert.equal(octets[at], 0);
  octets[500_000] = 1;
  assert.equal(octets[500_000], 1);
});
