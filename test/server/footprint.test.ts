// What of the process's memory is given back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadSockets } from '../../host/net/sockets.ts';
import { programMappings } from '../../host/server/footprint.ts';

function mapping(head: string, dirty: number, anonymous: number): string {
  const lines = ['Size: 16 kB', 'Rss: 16 kB', `Private_Dirty: ${String(dirty).padStart(9)} kB`];
  return [head, ...lines, `Anonymous: ${String(anonymous).padStart(9)} kB`, 'VmFlags: rd mr mw me'].join('\n');
}

test('clean read-only mappings of the program, and no others', () => {
  const smaps = [
    mapping('00400000-00404000 r--p 00000000 fe:00 532                          /usr/bin/node', 0, 0),
    mapping('00404000-0040c000 r-xp 00004000 fe:00 532                          /usr/bin/node', 0, 0),
    mapping('0040c000-00410000 r--p 0000c000 fe:00 532                          /usr/bin/node', 16, 16),
    mapping('00410000-00414000 rw-p 00010000 fe:00 532                          /usr/bin/node', 0, 0),
    mapping('00500000-00504000 r--p 00000000 00:00 0 ', 0, 0),
    mapping('7f0000000000-7f0000004000 r-xp 00000000 fe:00 99                   /usr/lib/libc.so.6', 0, 0),
    mapping('7f0000004000-7f0000005000 r-xp 01627000 fe:00 532                  /usr/bin/node', 0, 0),
  ].join('\n');
  assert.deepEqual(programMappings(`${smaps}\n`, '/usr/bin/node'), [
    [0x400000, 0x4000],
    [0x404000, 0x8000],
    [0x7f0000004000, 0x1000],
  ]);
  assert.deepEqual(programMappings('', '/usr/bin/node'), []);
});

test('unmapped pages of this very program come back when they are used', () => {
  const sockets = loadSockets();
  assert.ok(!('unavailable' in sockets));
  const mappings = programMappings(readFileSync('/proc/self/smaps', 'latin1'), process.execPath);
  assert.ok(mappings.length >= 2, 'text and constants of Node');
  const before = residentFileKibibytes();
  for (const [address, bytes] of mappings) sockets.unmapPages(address, bytes);
  const after = residentFileKibibytes();
  assert.ok(after < before / 2, `${before} kB of files before, ${after} kB after`);
  assert.equal(JSON.stringify({ still: ['here', /x/.exec('x')?.[0]] }), '{"still":["here","x"]}');
});

function residentFileKibibytes(): number {
  return Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
}
