// Makes whole Corefiles from a seed: blocks, keys, snippets, imports, environment, comments, quoting. About half of them
// are right; the others have a mistake or two, of a directive's own kind or of the text.

import { Random } from '../../support/random.ts';
import { DIRECTIVES } from './directives.ts';
import { ENV, STANDARD_FILES } from './files.ts';
import { mutateText } from './mutate.ts';
import { Words } from './words.ts';

export interface Draft {
  /** `@WORD@`s stand for ports and paths. */
  readonly text: string;
  /** Files beside it, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** What was meant; only for the reader of a report. */
  readonly note: string;
}

/** Weighted: what real Corefiles have comes often. */
const COMMON = [
  ...[
    'errors',
    'log',
    'health',
    'ready',
    'kubernetes',
    'kubernetes',
    'prometheus',
    'forward',
    'forward',
    'cache',
    'cache',
  ],
  ...[
    'loop',
    'reload',
    'loadbalance',
    'hosts',
    'hosts',
    'rewrite',
    'rewrite',
    'template',
    'bufsize',
    'metadata',
    'acl',
  ],
];
const RARE = ['whoami', 'bind', 'multisocket', 'root', 'debug'];
const KEYS = [
  ...['.:@PORT@', '.:@PORT@', '.', 'example.org:@PORT@', 'cluster.local:@PORT@ in-addr.arpa:@PORT@', 'dns://.:@PORT@'],
  ...[
    'other.test:@PORTB@',
    '.:@PORTB@',
    'sub.example.org',
    '10.0.0.0/8:@PORT@',
    'EXAMPLE.org:@PORT@',
    '192.0.2.0/25:@PORT@',
  ],
  ...[
    'example.org:@PORT@, other.test:@PORT@',
    '{$EMPTY} .:@PORT@',
    '{$ZONE}:@PORT@',
    'fd00:10::/32',
    '10.1.0.0/15:@PORT@',
  ],
  ...[
    'example.org:@PORT@ example.org:@PORTB@',
    '.:@PORT@ .:@PORTB@ .:@PORTC@',
    'fd00:10::/29:@PORT@ 10.0.0.0/9:@PORTB@',
  ],
  ...['10.96.0.0/12:@PORT@ 2001:db8::/31:@PORT@', '10.33.1.0/23', '10.1.2.3/32:@PORT@', '2001:db8::1/128:@PORT@'],
  ...['.:@PORT@,\nexample.org:@PORTB@', 'org:@PORT@ example.org:@PORT@ www.example.org:@PORT@', '.:{$NOSUCH}@PORT@'],
  ...[
    '{%ZONE%}:@PORT@ {$ZONE}:@PORTB@',
    'Example.ORG.:@PORT@',
    'svc.cluster.local:@PORT@ .:@PORT@',
    'arpa:@PORT@ .:@PORT@',
  ],
];
const ODD_KEYS = [
  ...[
    'a..b:@PORT@',
    '.:@PORT@{',
    'example.org:',
    'example.org:99999',
    'tls://.:@PORT@',
    'foo://x:@PORT@',
    '10.0.0.0/33:@PORT@',
  ],
  ...[
    'example.org:@PORT@,',
    'x:53-55',
    ':@PORT@',
    '0:1::/32',
    '(nosuch)',
    `${'a'.repeat(64)}.test:@PORT@`,
    '*.test:@PORT@',
  ],
  ...[
    'a_b.test:@PORT@',
    '"quoted.test":@PORT@',
    '.:@PORT@ .:@PORT@',
    'http://.:@PORT@',
    'unix://x',
    'unix://example.org:1 .:@PORT@ unix:///tmp/x',
    '-:@PORT@',
    '{$ZONE',
    '::1',
  ],
  ...[
    'quic://.:@PORT@',
    'grpc://.:@PORT@',
    'dns://',
    'dns:.',
    '10.0.0.0/-1',
    '10.0.0.0/:@PORT@',
    '1.2.3/8:@PORT@',
    '2001:db8::/129',
  ],
  ...[
    '.:@PORT@ example.org:@PORT@ EXAMPLE.org:@PORT@',
    'x y:',
    'x:-1',
    'x:0x35',
    'x: 53',
    `${'a.'.repeat(130)}test`,
    'é.test',
    '\\.',
  ],
];
/** @param isRight leaves every mistake out. */
export function draftCorefile(seed: number, isRight = false): Draft {
  const random = new Random(seed);
  const isWrong = random.chance(0.5) && !isRight;
  const words = new Words(random, isWrong ? 1 + random.below(2) : 0);
  let text = new Composer(words).compose();
  const note = [`seed ${seed}`];
  if (words.mistakesOwed > 0 || (isWrong && random.chance(0.3))) {
    const mutated = mutateText(text, random);
    note.push(mutated.note);
    text = mutated.text;
  }
  return { text, files: STANDARD_FILES, env: ENV, note: note.join(', ') };
}

class Composer {
  private readonly words: Words;
  private readonly snippets: string[] = [];

  constructor(words: Words) {
    this.words = words;
  }

  compose(): string {
    const w = this.words;
    const parts: string[] = [];
    if (w.chance(0.2)) parts.push(this.snippet('common'));
    if (w.chance(0.06)) parts.push(this.snippet('more'));
    if (w.chance(0.05))
      parts.push(w.pick(['import block.conf', 'import custom/*.server', 'import cust*m/stub.serve?']));
    const blocks = w.pick([1, 1, 1, 1, 2, 2, 3]);
    const keys = w.some(KEYS, blocks, blocks);
    for (const [at, key] of keys.entries()) parts.push(this.block(w.slip(0.1) ? w.pick(ODD_KEYS) : key, at));
    if (w.slip(0.03))
      parts.push(
        w.pick([
          'import nosuch.conf',
          'import nosuch-*.conf',
          'import a b',
          'import common x',
          'import',
          '}',
          '{',
          '(s) {\n',
        ]),
      );
    const mark = w.chance(0.03) ? '\ufeff' : '';
    return `${mark}${parts.map((part) => this.decorate(part)).join(w.pick(['\n', '\n\n', '\n# a comment\n']))}\n`;
  }

  private snippet(name: string): string {
    const body = this.directives(1 + this.words.random.below(3), [
      'errors',
      'cache',
      'log',
      'reload',
      'loadbalance',
      'rewrite',
    ]);
    this.snippets.push(name);
    return [`(${name}) {`, ...indent(body), '}'].join('\n');
  }

  private block(key: string, at: number): string {
    const w = this.words;
    const body: string[] = [];
    const taken = new Set<string>();
    const snippet = this.snippets[0];
    if (snippet !== undefined && w.chance(0.7)) {
      body.push(`import ${snippet}`);
      // What a snippet holds must not come twice in the block.
      for (const name of ['errors', 'cache', 'log', 'reload', 'loadbalance', 'rewrite']) taken.add(name);
    } else if (w.chance(0.05)) {
      body.push(w.pick(['import part.conf', 'import ./part.conf', 'import nested.conf', 'import {$NOSUCH}part.conf']));
      for (const name of ['errors', 'cache', 'loadbalance']) taken.add(name);
    }
    if (w.chance(0.05)) body.push('import custom/*.override', ...(w.chance(0.3) ? ['import nosuch/*.override'] : []));
    // Listeners for HTTP belong to one block.
    if (at > 0)
      for (const name of ['health', 'ready', 'prometheus', 'kubernetes', 'bind', 'multisocket']) taken.add(name);
    const names = w.some([...new Set(w.some(COMMON, 1, 7)), ...(w.chance(0.3) ? w.some(RARE, 1, 1) : [])], 1, 8);
    if (w.slip(0.08))
      names.push(
        w.pick([...names, 'nosuch', 'route53', 'Errors', 'forwards', 'cach', 'proxy', 'file', '{$WORD}', '"whoami"']),
      );
    for (const name of names) {
      if (taken.has(name) && !w.slip(0.05)) continue;
      body.push(...this.directive(name));
    }
    if (w.chance(0.05) && at === 0) return `${key}\n${body.join('\n')}`.concat(w.chance(0.5) ? '' : '\n');
    const open = w.pick(['{', '{', '{', '{ # a comment']);
    return [`${key} ${open}`, ...indent(body), '}'].join('\n');
  }

  private directives(count: number, names: readonly string[]): string[] {
    return this.words.some(names, count, count).flatMap((name) => this.directive(name));
  }

  private directive(name: string): string[] {
    const w = this.words;
    if (name === 'cache' && w.chance(0.05)) return ['cache {', '    import cache.lines', '}'];
    const lines = DIRECTIVES[name]?.(w) ?? [name];
    // A brace on the next line, an option that a variable brings.
    if (name === 'kubernetes' && w.chance(0.03)) return lines.map((line) => line.replace('ttl 30', '{$LINE}'));
    if (w.slip(0.02)) return lines.map((line) => line.replace(/ \{$/, '\n{'));
    return lines;
  }

  /** Comments, tabs, carriage returns, quotes where they change nothing. */
  private decorate(part: string): string {
    const w = this.words;
    const way = w.random.below(17);
    if (way === 0) return part.replaceAll('    ', '\t');
    if (way === 1) return part.replaceAll('\n', '\r\n');
    if (way === 2) return part.replace(/\n/, ' # said so\n');
    if (way === 3) return part.replace(/ ([a-z]+)$/m, ' "$1"');
    if (way === 4) return part.replace(/\b30\b/, '{$SECONDS}').replace('127.0.0.1:@UPSTREAM@', '{%UP%}');
    if (way === 5) return part.replace(/\b30(m?s)?$/m, '{$NESTED}$1');
    if (way === 6) return part.replace(/ ([a-z]+)$/m, ' {$EMPTY}$1{%EMPTY%}');
    return part;
  }
}

function indent(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => `    ${line}`);
}
