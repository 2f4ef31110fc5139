import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCorefile } from '../../host/corefile/loader.ts';
import type { BlockSettings, ServerBlock } from '../../host/plugin/contract.ts';
import {
  type BlockPlan,
  defaultSettings,
  type Listener,
  listenersOf,
  serverBlocks,
  startLines,
} from '../../host/server/zones.ts';

const ORDER = ['ready', 'errors', 'cache', 'whoami'];

/** @param more what the directives of each block say, by its index */
function plansOf(text: string, address = '', more: readonly Partial<BlockSettings>[] = []): BlockPlan[] {
  const source = { file: 'Corefile', read: () => text };
  const { blocks } = loadCorefile(source, { knownDirectives: ORDER, defaultPort: 53, environment: {} });
  return blocks.map((loaded, i) => ({
    loaded,
    plugins: ORDER.filter((name) => loaded.directives.some((each) => each.name === name)),
    settings: { ...defaultSettings(address), ...more[i] },
  }));
}

function blocksOf(text: string, address = ''): ServerBlock[] {
  return serverBlocks(plansOf(text, address));
}

function listeners(text: string, address = '', more: readonly Partial<BlockSettings>[] = []): Listener[] {
  const plans = plansOf(text, address, more);
  const settings = plans.map((plan) => plan.settings);
  return listenersOf(serverBlocks(plans), settings, 2);
}

function linesOf(text: string, address = '', more: readonly Partial<BlockSettings>[] = []): string[] {
  return startLines(listeners(text, address, more), new Map());
}

const bound = (...addresses: string[]) => ({ addresses });

test('a block has its keys in file order and its plugins in chain order', () => {
  const [block] = blocksOf('B.example a.example:1053 {\nwhoami\ncache\nerrors\ncache 10 a.example\n}\n');
  assert.deepEqual(block, {
    index: 0,
    keys: [
      { transport: 'dns', zone: 'b.example.', address: '', port: 53, server: 'dns://:53' },
      { transport: 'dns', zone: 'a.example.', address: '', port: 1053, server: 'dns://:1053' },
    ],
    zones: ['b.example.', 'a.example.'],
    plugins: ['errors', 'cache', 'whoami'],

    file: 'Corefile',
    line: 1,
  });
});

test('one listener a port, with the zones of all blocks', () => {
  const found = listeners('. a.example:1053 {\nwhoami\n}\nb.example c.example:1053 {\n}\n');
  const common = { address: '', sockets: 1, isDebugging: false, showsStack: false };
  assert.deepEqual(found, [
    {
      ...common,
      port: 53,
      server: 'dns://:53',
      zones: [
        { zone: '.', block: 0, serverOrdinal: 0 },
        { zone: 'b.example.', block: 1, serverOrdinal: 0 },
      ],
    },
    {
      ...common,
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
  const text = '.:1 .:2 {\n}\na.example:2 {\n}\n';
  assert.equal(blocksOf(text)[1]!.index, 1);
  assert.deepEqual(
    listeners(text).map(({ zones }) => zones.map(({ serverOrdinal }) => serverOrdinal)),
    [[0], [1, 0]],
  );
});

test('a bound address is part of the server label, in one spelling', () => {
  assert.equal(blocksOf('.\n', '127.0.0.1')[0]!.keys[0]!.server, 'dns://127.0.0.1:53');
  assert.equal(blocksOf('.\n', '0::1')[0]!.keys[0]!.server, 'dns://[::1]:53');
  assert.equal(blocksOf('.\n', 'FE80::1%eth0')[0]!.keys[0]!.server, 'dns://[fe80::1%eth0]:53');
  assert.equal(blocksOf('.\n', '::ffff:192.0.2.1')[0]!.keys[0]!.server, 'dns://192.0.2.1:53');
  assert.equal(listeners('.\n', '127.0.0.1')[0]!.address, '127.0.0.1');
});

test('several addresses: a listener each, with the zones of all blocks that are bound to it', () => {
  const text = 'a.example b.example {\n}\nc.example {\n}\nd.example {\n}\n';
  const found = listeners(text, '', [bound('127.0.0.1', '::1'), bound('::1')]);
  assert.deepEqual(
    found.map(({ server, zones }) => [server, ...zones.map(({ zone, serverOrdinal }) => `${zone} ${serverOrdinal}`)]),
    [
      ['dns://127.0.0.1:53', 'a.example. 0', 'b.example. 0'],
      ['dns://[::1]:53', 'a.example. 1', 'b.example. 1', 'c.example. 0'],
      ['dns://:53', 'd.example. 0'],
    ],
  );
});

test('no address left: no listener', () => {
  assert.deepEqual(listeners('.\n', '', [bound()]), []);
});

test('a zone that is served twice on an address, or bound here and unbound there', () => {
  const head = 'Corefile:3 - Error during parsing: cannot serve';
  const refused = (more: readonly Partial<BlockSettings>[], message: string) =>
    assert.throws(() => listeners('. {\n}\n.:53 {\n}\n', '', more), { message });
  refused([], `${head} dns://.:53 - it is already defined`);
  refused([bound('::1'), bound('::1')], `${head} dns://.:53 on ::1 - it is already defined`);
  refused([{}, bound('::1')], `${head} dns://.:53 on ::1 - zone overlap listener capacity with dns://.:53`);
  refused(
    [bound('127.0.0.1', '127.0.0.2')],
    `${head} dns://.:53 - zone overlap listener capacity with dns://.:53 on 127.0.0.2`,
  );
  assert.equal(listeners('. {\n}\n.:53 {\n}\n', '', [bound('127.0.0.1'), bound('127.0.0.2')]).length, 2);
  const same = 'Corefile:1 - Error during parsing: cannot serve dns://.:53 on ::1 - it is already defined';
  assert.throws(() => listeners('.\n', '', [bound('::1', '0::1')]), { message: same });
});

test('debugging holds for a listener if one block asks for it, stacks if the last one does', () => {
  const asked = [{ isDebugging: true, showsStack: true }, {}];
  const [listener] = listeners('a.example {\n}\nb.example {\n}\n', '', asked);
  assert.deepEqual([listener!.isDebugging, listener!.showsStack], [true, false]);
  const [other] = listeners('a.example {\n}\nb.example {\n}\n', '', asked.toReversed());
  assert.deepEqual([other!.isDebugging, other!.showsStack], [true, true]);
});

test('a CIDR key is a zone for each octet boundary', () => {
  const [listener] = listeners('10.0.0.0/15 {\n}\n');
  assert.deepEqual(
    listener!.zones.map(({ zone }) => zone),
    ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.'],
  );
});

test('start lines: listener by listener, their zones sorted', () => {
  assert.deepEqual(linesOf('b.example:1053 .:1053 {\n}\na.example:5300 b.example:5300 {\n}\n'), [
    '.:1053',
    'b.example.:1053',
    'a.example.:5300',
    'b.example.:5300',
  ]);
  assert.deepEqual(linesOf('.\n', '127.0.0.1'), ['.:53 on 127.0.0.1']);
  assert.deepEqual(linesOf('.\n', '', [bound('127.0.0.1', '::1')]), ['.:53 on 127.0.0.1', '.:53 on ::1']);
});

test('start lines: a warning stands before each line of a strange zone', () => {
  assert.deepEqual(linesOf('_x.example:1 _x.example:2 10.0.0.0/8 {\n}\n'), [
    'Warning: Domain "_x.example." does not follow RFC1035 preferred syntax',
    '_x.example.:1',
    'Warning: Domain "_x.example." does not follow RFC1035 preferred syntax',
    '_x.example.:2',
    '10.in-addr.arpa.:53',
  ]);
});

test('start lines: as often as there would be sockets, by the first block of the address', () => {
  assert.deepEqual(linesOf('a b {\n}\nc {\n}\n', '', [{ sockets: 2 }, { sockets: 3 }]), [
    ...['a.:53', 'b.:53', 'c.:53'],
    ...['a.:53', 'b.:53', 'c.:53'],
  ]);
  assert.deepEqual(linesOf('a\n', '', [{ sockets: 'auto' }]), ['a.:53', 'a.:53'], 'as many as threads');
});

test('start lines: an ephemeral port is shown as the kernel chose it', () => {
  const lines = startLines(listeners('.:0 a.example:53 {\n}\n'), new Map([['dns://:0', 40001]]));
  assert.deepEqual(lines, ['.:40001', 'a.example.:53']);
});
