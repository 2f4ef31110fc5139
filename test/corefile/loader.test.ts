import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadCorefile, readCorefileHash } from '../../host/corefile/loader.ts';
import { corefileSource } from '../../host/corefile/source.ts';
import { UserError } from '../../host/errors.ts';

const KNOWN = ['errors', 'health', 'ready', 'kubernetes', 'prometheus', 'forward', 'cache', 'loop', 'reload'].concat([
  ...['loadbalance', 'whoami', 'log', 'bind'],
]);
const OPTIONS = { knownDirectives: KNOWN, defaultPort: 53, environment: {} };
const directory = mkdtempSync(join(tmpdir(), 'wasmdns-loader-'));
after(() => rmSync(directory, { recursive: true }));

const source = (text: string) => ({ file: 'Corefile', read: () => text });
const load = (text: string, options = OPTIONS) => loadCorefile(source(text), options);
const hash = (text: string) => load(text).hash;

const KUBEADM = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`;

test("kubeadm's Corefile", () => {
  const { blocks, warnings, file } = load(KUBEADM);
  assert.equal(file, 'Corefile');
  assert.deepEqual(warnings, []);
  assert.equal(blocks.length, 1);
  const block = blocks[0]!;
  assert.deepEqual(
    block.keys.map(({ transport, zone, port }) => ({ transport, zone, port })),
    [{ transport: 'dns', zone: '.', port: 53 }],
  );
  assert.deepEqual([block.file, block.line], ['Corefile', 1]);
  assert.deepEqual(
    block.directives.map(({ name, line }) => `${name}:${line}`),
    [
      'errors:2',
      'health:3',
      'ready:6',
      'kubernetes:7',
      'prometheus:12',
      'forward:13',
      'cache:16',
      'loop:20',
      'reload:21',
      'loadbalance:22',
    ],
  );
  const { reader } = block.directives.find(({ name }) => name === 'cache')!;
  const lines: (readonly string[])[] = [];
  reader.once(({ args: [ttl] }) => {
    assert.equal(ttl?.text, '30');
    for (const _ of reader.wordsOfBlock()) lines.push(reader.restOfLine().map(({ text }) => text));
  });
  assert.deepEqual(lines, [
    ['success', 'cluster.local'],
    ['denial', 'cluster.local'],
  ]);
});

test('the hash is the one CoreDNS 1.14.7 computes', () => {
  // The real binary printed it at start: `Running configuration SHA512 = ...`.
  const text =
    '.:5397 example.org:5397 {\n    whoami # "x"\n    errors {\n      consolidate 5m "a <b> & c"\n    }\n    reload 10s\n}\n';
  assert.equal(
    hash(text),
    'a448bfa63cc8a67e8b4f4ff01fefce773d55036e35d6cafabaa9ae5742b29f31' +
      '94dcc3617bc06ef326b57d80c73ba9e9b7f1e8b880b1c91c4dd4400e536fae56',
  );
});

test('occurrences of one directive come together, addresses expand', () => {
  const { blocks } = load('10.0.0.0/15 A.org:54 {\n log a\n whoami\n log b\n}');
  assert.deepEqual(
    blocks[0]!.keys.map(({ zone, port }) => `${zone}:${port}`),
    ['0.10.in-addr.arpa.:53', '1.10.in-addr.arpa.:53', 'a.org.:54'],
  );
  assert.deepEqual(blocks[0]!.zones, ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.', 'a.org.']);
  assert.deepEqual(
    blocks[0]!.directives.map(({ name, reader }) => [name, reader.each(({ args }) => args.length).length]),
    [
      ['log', 2],
      ['whoami', 1],
    ],
  );
});

test('wrong directives', () => {
  const wrong = (text: string, line: number, word: string, message: string) =>
    assert.throws(() => load(text), {
      name: 'CorefileError',
      file: 'Corefile',
      line,
      word,
      message: `Corefile:${line} - Error during parsing: ${message}`,
    });
  wrong('. {\n nosuch\n}', 2, 'nosuch', "Unknown directive 'nosuch'");
  wrong('. {\n whoami\n file db.example.org\n}', 3, 'file', 'plugin/file is not supported yet');
  wrong('. {\n toString\n}', 2, 'toString', "Unknown directive 'toString'");
  wrong('. {\n fro\n}', 2, 'fro', "Unknown directive 'fro'");
  wrong('. {\n foward . 9.9.9.9\n}', 2, 'foward', `Unknown directive 'foward', did you mean "forward"?`);
  wrong('. {\n whaomi\n}', 2, 'whaomi', `Unknown directive 'whaomi', did you mean "whoami"?`);
  wrong('. {\n Cache\n}', 2, 'Cache', `Unknown directive 'Cache', did you mean "cache"?`);
  wrong('.:5590{\nwhoami', 1, '.:5590{', 'zone is not a valid domain name: .:5590{');
});

test('nothing but comments and snippets: the built-in configuration', () => {
  for (const text of ['', '# x\n', '(s) {\n errors\n}']) {
    const { blocks } = load(text, { ...OPTIONS, defaultPort: 1053 });
    assert.deepEqual(
      blocks.map((block) => [block.keys[0]?.port, block.directives.map(({ name }) => name)]),
      [[1053, ['whoami', 'log']]],
    );
  }
});

test('the hash follows words and lines, not comments and white space', () => {
  const base = '. {\n whoami\n}\n';
  assert.match(hash(base), /^[0-9a-f]{128}$/);
  assert.equal(hash('. {\n\t whoami # y\n}\n# z\n'), hash(base));
  assert.notEqual(hash(`# x\n${base}`), hash(base));
  assert.notEqual(hash('. {\n whoami\n log\n}\n'), hash(base));
  const twice = '. {\n log a\n whoami\n}\n';
  assert.equal(hash('. {\n whoami\n}\n'), hash('. {\n "whoami"\n}\n'));
  assert.notEqual(hash(twice), hash('. {\n log b\n whoami\n}\n'));
});

test('readCorefileHash takes unknown directives, and nothing broken', () => {
  const options = { environment: {}, defaultPort: 53 };
  assert.deepEqual(readCorefileHash(source('. {\n whoami\n}'), options), { hash: hash('. {\n whoami\n}') });
  const unknown = readCorefileHash(source('. {\n nosuch\n}'), options);
  assert.ok(unknown !== undefined && 'hash' in unknown && /^[0-9a-f]{128}$/.test(unknown.hash));
  assert.deepEqual(readCorefileHash(source('. {\n whoami'), options), {
    fault: "Corefile:2 - Syntax error: Unexpected token 'whoami', expecting '}'",
  });
  assert.equal(readCorefileHash(corefileSource(join(directory, 'nosuch'), 53), options), undefined);
});

test('files that cannot be read', () => {
  const path = join(directory, 'nosuch');
  assert.throws(() => loadCorefile(corefileSource(path, 53), OPTIONS), {
    name: 'UserError',
    message: `loading Corefile: open ${path}: no such file or directory`,
  });
  assert.throws(() => corefileSource(directory, 53).read(), {
    name: 'UserError',
    message: `loading Corefile: read ${directory}: is a directory`,
  });
  assert.throws(() => corefileSource('/dev/zero', 53).read(), {
    name: 'UserError',
    message: /more than 4194304 octets/,
  });
  assert.equal(new UserError('a\n b').message, 'a b');
});

/** What loadCorefile() finds when a process of its own runs in `directory` with this `-conf`. */
function loadElsewhere(path: string | undefined, input: string): string {
  const program = `
    import { corefileSource } from ${JSON.stringify(new URL('../../host/corefile/source.ts', import.meta.url).href)};
    const source = corefileSource(${JSON.stringify(path)}, 1053);
    console.log(JSON.stringify([source.file, source.read(), source.read()]));`;
  const cwd = mkdtempSync(join(directory, 'cwd-'));
  if (path === undefined && input !== '') writeFileSync(join(cwd, 'Corefile'), input);
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd, input, encoding: 'utf8' });
}

test('standard input is read once, Corefile in the working directory, built-in default', () => {
  assert.deepEqual(JSON.parse(loadElsewhere('stdin', '. {\n}\n')), ['/dev/stdin', '. {\n}\n', '. {\n}\n']);
  assert.deepEqual(JSON.parse(loadElsewhere(undefined, 'a {\n}\n')), ['Corefile', 'a {\n}\n', 'a {\n}\n']);
  const builtIn = '.:1053 {\nwhoami\nlog\n}\n';
  assert.deepEqual(JSON.parse(loadElsewhere(undefined, '')), ['Corefile', builtIn, builtIn]);
});
