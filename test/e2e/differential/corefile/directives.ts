// One generator for each directive: its lines, every option, legal and odd values.

import { acl } from './access.ts';
import { hosts, template } from './answering.ts';
import { kubernetes } from './kubernetes.ts';
import { errors, health, log, prometheus, ready } from './observing.ts';
import { cache, forward, loadbalance } from './resolving.ts';
import { rewrite } from './rewriting.ts';
import { TYPES, type Words, ZONES } from './words.ts';

export type DirectiveGenerator = (words: Words) => string[];

// Not 0.0.0.0: beside a block without bind the kernel deals its queries out to both sockets, on either server.
const bind: DirectiveGenerator = (w) =>
  w.block(
    `bind ${w.value(['127.0.0.1', 'lo', '127.0.0.1 ::1', '::1', '127.0.0.1 127.0.0.2'], ['300.1.1.1', 'nosuch0', ''])}`,
    [w.chance(0.3) ? `except ${w.value(['::1', '127.0.0.9'], ['x', '300.1.1.1', ''])}` : ''],
  );

const metadata: DirectiveGenerator = (w) => [
  `metadata${w.chance(0.4) ? ` ${w.zones(1, 2)}` : ''}${w.slip() ? ' {\n    x\n}' : ''}`,
];

const simple = (head: string, legal: readonly string[], odd: readonly string[]): DirectiveGenerator => {
  return (w) => [`${head} ${w.value(legal, odd)}`.trimEnd()];
};

/** Every directive by its name. */
export const DIRECTIVES: Readonly<Record<string, DirectiveGenerator>> = {
  errors,
  log,
  health,
  ready,
  prometheus,
  kubernetes,
  bind,
  metadata,
  acl,
  forward,
  cache,
  loadbalance,
  hosts,
  rewrite,
  template,
  bufsize: simple('bufsize', ['', '512', '1232', '4096', '900'], ['511', '4097', 'x', '1 2', '-1', '1232 {\n}']),
  multisocket: simple('multisocket', ['', '1', '2', '3'], ['0', '-1', '1025', 'x', '1 2']),
  root: simple('root', ['.', '/', '/tmp', './nosuch'], ['', '/ /']),
  debug: simple('debug', [''], ['x']),
  loop: simple('loop', [''], ['x', '{\n}']),
  reload: simple(
    'reload',
    ['', '2s', '30s', '10s 2s', '1m 0s', '1h 30m'],
    ['1s', '30', 'x', '10s x', '10s 100ms', '1s 1s 1s', '-5s', '10s -1s', '0s'],
  ),
  whoami: simple('whoami', [''], ['x', 'example.org']),
};

/** Types for questions and rules, and zones to try them on. */
export const KNOWN = { TYPES, ZONES };
