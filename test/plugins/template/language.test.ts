import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { EDNS_DO, FLAG_RD } from '../../../engine-as/shared/codes.ts';
import { composeName } from '../../../host/dns/name.ts';
import { templateData } from '../../../host/plugins/template/data.ts';
import { FUNCTIONS } from '../../../host/plugins/template/language/functions.ts';
import { executeTemplate, TemplateError } from '../../../host/plugins/template/language/interpreter.ts';
import { TemplateSyntaxError } from '../../../host/plugins/template/language/lexer.ts';
import { listText } from '../../../host/plugins/template/language/nodes.ts';
import { parseTemplate } from '../../../host/plugins/template/language/parser.ts';
import { queryFor } from '../queries.ts';

/** What Go 1.26's text/template makes of each template over CoreDNS's data for the query below, recorded once. */
interface Recorded {
  readonly template: string;
  readonly tree?: string;
  readonly out?: string;
  readonly error?: string;
  readonly parse?: string;
}

const recorded = JSON.parse(readFileSync(new URL('go-templates.json', import.meta.url), 'utf8')) as Recorded[];
const names = new Set(FUNCTIONS.keys());

const query = queryFor('WWW.Example.org.', {
  message: {
    id: 4711,
    flags: FLAG_RD,
    questions: [{ name: 'www.example.org.', type: 1, class: 1, wire: composeName('WWW.Example.org.') }],
    answer: [],
    authority: [],
    additional: [],
    edns: { payloadBytes: 1232, extendedRcode: 0, version: 0, flags: EDNS_DO, options: [] },
  },
  remote: { address: '192.0.2.7', port: 4242, family: 4 },
  metadata: { get: (label) => (label === 'a/b' ? 'metavalue' : undefined), set: () => {} },
});
const data = templateData({
  query,
  zone: 'org.',
  regex: '^(?P<host>\\w+)\\.(example)\\.',
  match: ['www.example.', 'www', 'example'],
  names: ['', 'host', ''],
  class: 'IN',
  type: 'A',
});

const octets = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const text = (binary: string) => Buffer.from(binary, 'latin1').toString('utf8');

function run(source: string): Omit<Recorded, 'template'> {
  let tree: string | undefined;
  try {
    const template = parseTemplate('answer', octets(source), names);
    tree = text(listText(template.nodes));
    return { tree, out: text(executeTemplate(template, data)) };
  } catch (error) {
    if (error instanceof TemplateSyntaxError) return { parse: text(error.message) };
    if (error instanceof TemplateError) return { tree: tree!, error: text(error.message) };
    throw error;
  }
}

test(`${recorded.length} templates do what Go does`, () => {
  assert.ok(recorded.length > 150);
  for (const { template, ...expected } of recorded) assert.deepEqual(run(template), expected, template);
});

test('what Go can and this interpreter refuses', () => {
  // The whole data or message as text; complex numbers
  assert.match(run('{{ . }}').error!, /can't print \{\{\.\}\} of type \*template\.templateData/);
  assert.match(run('{{ .Message }}').error!, /can't print/);
  assert.match(run('{{ .Message.String }}').error!, /can't evaluate field String in type \*dns\.Msg/);
  assert.match(run('{{ 1i }}').parse!, /bad number syntax/);
});

test('no template runs for ever, or grows without bound', () => {
  assert.match(run('{{ range 1000000000 }}{{ end }}').error!, /exceeded 100000 steps/);
  assert.match(
    run('{{ range 99 }}{{ range 99 }}{{ range 99 }}x{{ end }}{{ end }}{{ end }}').error!,
    /exceeded 100000 steps/,
  );
  assert.match(run('{{ range 90000 }}0123456789{{ end }}').error!, /exceeded 300000 octets/);
  assert.match(run('{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}').error!, /maximum template depth/);
  assert.match(run('{{ printf "%0999999d" 1 }}').out!, /BADWIDTH/);
  assert.match(
    run(`{{ $x := "x" }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}{{ $x }}`).error!,
    /exceeded 300000 octets/,
  );
  assert.match(run(`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`).parse!, /max expression depth/);
  assert.match(run('{{ if true }}'.repeat(5000)).parse!, /max expression depth/);
});

test('whatever the text, it is a template or an error of the language', () => {
  const pieces = recorded.flatMap(({ template }) => template.split(/(\s+|\{\{|\}\})/)).filter((piece) => piece !== '');
  const source = fc.array(fc.constantFrom(...pieces, '{{', '}}', '{{-', '-}}', '{{/*', '"', '`', "'", '|', '('), {
    maxLength: 24,
  });
  fc.assert(
    fc.property(source, (parts) => {
      const { out, error, parse } = run(parts.join(''));
      assert.equal([out, error, parse].filter((each) => each !== undefined).length, 1);
      if (parse !== undefined) assert.match(parse, /^template: answer:\d+: /);
      if (error !== undefined) assert.match(error, /^template: answer:\d+:\d+: executing "/);
    }),
    { numRuns: 3000 },
  );
});
