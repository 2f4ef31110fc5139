import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCorefile } from '../../host/corefile/loader.ts';
import type { ServerBlock } from '../../host/plugin/contract.ts';
import { listenersOf, serverBlocks, startLines } from '../../host/server/zones.ts';

const ORDER = ['ready', 'errors', 'cache', 'whoami'];

function blocksOf(text: string, address = '', defaultPort = 53): ServerBlock[] {
  const source = { file: 'Corefile', read: () => text };
  const { blocks } = loadCorefile(source, { knownDirectives: ORDER, defaultPort, environment: {} });
  return serverBlocks(blocks, ORDER, address);
}

function linesOf(text: string, address = ''): string[] {
  return startLines(blocksOf(text, address), new Map(), address);
}

test('a block has its keys in file order and its plugins in chain order', () => {
  const [block] = blocksOf('B.example a.example:1053 {\nwhoami\ncache\nerrors\ncache 10 a.example\n}\n');
  assert.deepEqual(block, {
    index: 0,
    keys: [
      { transport: 'dns', zone: 'b.example.', port: 53, server: 'dns://:53' },
      { transport: 'dns', zone: 'a.example.', port: 1053, server: 'dns://:1053' },
    ],
    zones: ['b.example.', 'a.example.'],
    plugins: ['errors', 'cache', 'whoami'],
    file: 'Corefile',
    line: 1,
  });
});

test('one listener a port, with the zones of all blocks', () => {
  const blocks = blocksOf('. a.example:1053 {\nwhoami\n}\nb.example c.example:1053 {\n}\n');
  assert.deepEqual(listenersOf(blocks, ''), [
    {
      address: '',
      port: 53,
      server: 'dns://:53',
      zones: [
        { zone: '.', block: 0, serverOrdinal: 0 },
        { zone: 'b.example.', block: 1, serverOrdinal: 0 },
      ],
    },
    {
      address: '',
      port: 1053,
      server: 'dns://:1053',
      zones: [
        { zone: 'a.example.', block: 0, serverOrdinal: 1 },
        { zone: 'c.example.', block: 1, serverOrdinal: 1 },
      ],
    },
  ]);
});

test('the ordinal of a server counts within the block', () => {
  const [, second] = blocksOf('.:1 .:2 {\n}\na.example:2 {\n}\n');
  const listeners = listenersOf(blocksOf('.:1 .:2 {\n}\na.example:2 {\n}\n'), '');
  assert.equal(second!.index, 1);
  assert.deepEqual(
    listeners.map(({ zones }) => zones.map(({ serverOrdinal }) => serverOrdinal)),
    [[0], [1, 0]],
  );
});

test('a bound address is part of the server label', () => {
  assert.equal(blocksOf('.\n', '127.0.0.1')[0]!.keys[0]!.server, 'dns://127.0.0.1:53');
  assert.equal(blocksOf('.\n', '::1')[0]!.keys[0]!.server, 'dns://[::1]:53');
  assert.equal(listenersOf(blocksOf('.\n', '127.0.0.1'), '127.0.0.1')[0]!.address, '127.0.0.1');
});

test('a CIDR key is a zone for each octet boundary', () => {
  const [listener] = listenersOf(blocksOf('10.0.0.0/15 {\n}\n'), '');
  assert.deepEqual(
    listener!.zones.map(({ zone }) => zone),
    ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.'],
  );
});

test('start lines: one for each zone and port, sorted', () => {
  assert.deepEqual(linesOf('b.example:1053 .:1053 {\n}\na.example:5300 b.example:5300 {\n}\n'), [
    '.:1053',
    'a.example.:5300',
    'b.example.:1053',
    'b.example.:5300',
  ]);
  assert.deepEqual(linesOf('.\n', '127.0.0.1'), ['.:53 on 127.0.0.1']);
});

test('start lines: warnings about strange zones come first, once for each zone', () => {
  assert.deepEqual(linesOf('_x.example:1 _x.example:2 10.0.0.0/8 {\n}\n'), [
    'Warning: Domain "_x.example." does not follow RFC1035 preferred syntax',
    '10.in-addr.arpa.:53',
    '_x.example.:1',
    '_x.example.:2',
  ]);
});

test('start lines: an ephemeral port is shown as the kernel chose it', () => {
  const lines = startLines(blocksOf('.:0 a.example:53 {\n}\n'), new Map([['dns://:0', 40001]]), '');
  assert.deepEqual(lines, ['.:40001', 'a.example.:53']);
});
