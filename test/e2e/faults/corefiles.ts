// Wrong Corefiles of every kind, with the line and the word that the error must name. @PORT@ is a free port.

export interface WrongCorefile {
  readonly kind: string;
  readonly text: string;
  /** Line of the offending word, from 1. */
  readonly line: number;
  readonly word: string;
}

const block = (...lines: string[]) => `.:@PORT@ {\n${lines.map((line) => `    ${line}\n`).join('')}}\n`;
const wrong = (kind: string, text: string, line: number, word: string): WrongCorefile => ({ kind, text, line, word });
const kubernetes = (...lines: string[]) =>
  block('kubernetes cluster.local {', 'endpoint http://127.0.0.1:1', ...lines, '}');

export const WRONG_COREFILES: readonly WrongCorefile[] = [
  wrong('unknown directive', block('nosuch'), 2, 'nosuch'),
  wrong('missing closing brace', '.:@PORT@ {\n    whoami\n', 2, 'whoami'),
  wrong('brace glued to the zone', '.:@PORT@{\n    whoami\n}\n', 1, '.:@PORT@{'),
  wrong('one-line block', '.:@PORT@ { whoami }\n', 1, '}'),
  wrong('comma before the brace', 'a.org:@PORT@, {\n    whoami\n}\n', 1, '{'),
  wrong('bad zone name', 'a..b:@PORT@ {\n    whoami\n}\n', 1, 'a..b'),
  wrong('port too big', 'example.org:99999 {\n    whoami\n}\n', 1, '99999'),
  wrong('empty port', 'example.org: {\n    whoami\n}\n', 1, 'example.org:'),
  wrong('the same zone twice', `${block('whoami')}${block('whoami')}`, 4, '.:@PORT@'),
  wrong('missing import', block('import nosuch.conf'), 2, 'nosuch.conf'),
  wrong('snippet that imports itself', `(s) {\n    import s\n}\n${block('import s')}`, 3, 'import'),
  wrong('directive twice in a block', block('cache', 'cache'), 3, 'cache'),
  wrong('cache TTL of 0', block('cache 0'), 2, '0'),
  wrong('cache: unknown property', block('cache {', 'nosuch', '}'), 3, 'nosuch'),
  wrong('cache: bad word', block('cache {', 'disable other', '}'), 3, 'other'),
  wrong('forward without upstream', block('forward .'), 2, '.'),
  wrong('forward: no address', block('forward . 1.2.3.4.5'), 2, '1.2.3.4.5'),
  wrong('forward: missing file', block('forward . ./nosuch.conf'), 2, './nosuch.conf'),
  wrong('forward: unknown property', block('forward . 127.0.0.1 {', 'nosuch', '}'), 3, 'nosuch'),
  wrong('forward: unknown policy', block('forward . 127.0.0.1 {', 'policy best', '}'), 3, 'best'),
  wrong('forward: bad duration', block('forward . 127.0.0.1 {', 'expire 10', '}'), 3, '10'),
  wrong('kubernetes: unknown property', kubernetes('nosuch'), 4, 'nosuch'),
  wrong('kubernetes: bad pods mode', kubernetes('pods some'), 4, 'some'),
  wrong('kubernetes: TTL out of range', kubernetes('ttl 4000'), 4, '4000'),
  wrong('kubernetes: TTL that is no number', kubernetes('ttl x'), 4, 'x'),
  wrong('health: bad address', block('health x'), 2, 'x'),
  wrong('health: duration without unit', block('health {', 'lameduck 5', '}'), 3, '5'),
  wrong('ready: bad address', block('ready x'), 2, 'x'),
  wrong('prometheus: bad address', block('prometheus x'), 2, 'x'),
  wrong('prometheus: unknown option', block('prometheus {', 'nosuch', '}'), 3, 'nosuch'),
  wrong('loadbalance: unknown policy', block('loadbalance best'), 2, 'best'),
  wrong('reload: interval too short', block('reload 1s'), 2, '1s'),
  wrong('errors: log file', block('errors out.log'), 2, 'out.log'),
  wrong('log: unknown class', block('log {', 'class nosuch', '}'), 3, 'nosuch'),
  wrong('whoami with an argument', block('whoami x'), 2, 'x'),
  wrong('loop with an argument', block('loop x'), 2, 'x'),
];
