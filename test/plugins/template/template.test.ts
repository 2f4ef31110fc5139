import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EDNS_DO, FLAG_AA, FLAG_TC } from '../../../engine-as/shared/codes.ts';
import type {
  Answer,
  BlockProgram,
  ControlServices,
  Next,
  Outcome,
  Plain,
  Query,
  ServerBlock,
  ShardServices,
  SlowRule,
} from '../../../host/plugin/contract.ts';
import { template } from '../../../host/plugins/template/template.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { rdataText } from '../../dns/rdata-forms.ts';
import { answerOf, chainEnd, queryFor, recordOf } from '../queries.ts';

const parse = (body: string) => template.parse(readerOf('template', body));

/** The plugin over a real control half whose series are plain numbers by name and labels. */
function pluginOf(body: string, resolve: ShardServices['resolve'] = () => assert.fail('nothing to resolve')) {
  const config = parse(body);
  const series: string[] = [];
  const counts = new Map<string, number>();
  const add = (slot: number, amount: number) => counts.set(series[slot]!, (counts.get(series[slot]!) ?? 0) + amount);
  const services = {
    metrics: {
      counter(name: string, _help: string, labels: object) {
        const text = `${name} ${Object.values(labels).join(' ')}`;
        if (!series.includes(text)) series.push(text);
        return series.indexOf(text);
      },
      slots: { add },
    },
  } as unknown as ControlServices;
  const block = { keys: [{ transport: 'dns', zone: '.', port: 53, server: 'dns://:53' }] } as unknown as ServerBlock;
  const control = template.control!(config, block, services);
  let notices = 0;
  const shard = {
    slots: { add },
    notifyControl(message: Plain) {
      notices++;
      control.onNotice!(structuredClone(message), 0);
    },
    resolve,
  } as unknown as ShardServices;
  const plugin = template.create!(config, block, shard, structuredClone(control.shared));
  const end = chainEnd(answerOf());
  const ask = (query: Query, next: Next = end.next): Promise<Outcome> => plugin.answer!(query, next);
  return { ask, counts, asked: end.asked, notices: () => notices };
}

async function answered(outcome: Promise<Outcome>): Promise<Answer> {
  const result = await outcome;
  assert.ok(result.kind === 'answer');
  return result;
}

const lines = (records: Answer['answer']) =>
  records.map(({ name, ttl, type, rdata }) => `${name} ${ttl} ${type} ${rdataText(type, rdata)}`);

test('parse: every option', () => {
  assert.deepEqual(
    parse(`template IN A Example.ORG 10.0.0.0/8 {
      match "^a[.]" b
      match c
      answer "{{ .Name }} A 192.0.2.1" "x. A 192.0.2.2"
      additional "x. A 192.0.2.3"
      authority "x. NS y."
      rcode NXDOMAIN
      ederror 21 "because of it"
      fallthrough x.org 10.0.0.0/8
      upstream any words
    }`),
    {
      rules: [
        {
          class: 1,
          type: 1,
          zones: ['example.org.', '10.in-addr.arpa.'],
          patterns: ['^a[.]', 'b', 'c'],
          texts: {
            answer: ['{{ .Name }} A 192.0.2.1', 'x. A 192.0.2.2'],
            additional: ['x. A 192.0.2.3'],
            authority: ['x. NS y.'],
          },
          rcode: 3,
          error: { code: 21, reason: 'because of it' },
          fallthrough: ['x.org.', '10.in-addr.arpa.'],
        },
      ],
    },
  );
});

test('parse: defaults, several templates, the last word wins', () => {
  const { rules } = parse(
    'template ANY ANY .\n template CH TXT {\n rcode NOTIMPL\n rcode BADSIG\n ederror 0\n fallthrough\n }',
  );
  assert.equal(rules.length, 2);
  assert.deepEqual(rules[0], {
    class: 255,
    type: 255,
    zones: ['.'],
    patterns: ['.*'],
    texts: { answer: [], additional: [], authority: [] },
    rcode: 0,
    error: undefined,
    fallthrough: undefined,
  });
  const { rcode, error, fallthrough } = rules[1]!;
  assert.deepEqual({ rcode, error, fallthrough }, { rcode: 16, error: { code: 0, reason: '' }, fallthrough: ['.'] });
});

test('parse: what is refused, with file, line and word', () => {
  const wrong: readonly (readonly [string, number, string, RegExp])[] = [
    ['template', 2, 'template', /Wrong argument count or unexpected line ending after 'template'/],
    ['template IN', 2, 'IN', /Wrong argument count or unexpected line ending after 'IN'/],
    ['template in A', 2, 'in', /invalid query class in/],
    ['template CLASS7 A', 2, 'CLASS7', /invalid query class CLASS7/],
    ['template IN a', 2, 'a', /invalid RR class a/],
    ['template IN TYPE7', 2, 'TYPE7', /invalid RR class TYPE7/],
    ['template IN A {\n match\n }', 3, 'match', /Wrong argument count/],
    ['template IN A {\n match (\n }', 3, '(', /could not parse regex: \(, error parsing regexp: missing closing \)/],
    [
      `template IN A {\n match ${'a'.repeat(10_001)}\n }`,
      3,
      'a'.repeat(10_001),
      /regex pattern too long: 10001 > 10000/,
    ],
    ['template IN A {\n answer\n }', 3, 'answer', /Wrong argument count/],
    ['template IN A {\n additional\n }', 3, 'additional', /Wrong argument count/],
    ['template IN A {\n authority\n }', 3, 'authority', /Wrong argument count/],
    [
      'template IN A {\n answer "{{ .Name"\n }',
      3,
      '{{ .Name',
      /could not compile template: \{\{ \.Name, template: answer:1: unclosed action/,
    ],
    [
      'template IN A {\n authority "{{ nope }}"\n }',
      3,
      '{{ nope }}',
      /template: authority:1: function "nope" not defined/,
    ],
    ['template IN A {\n rcode\n }', 3, 'rcode', /Wrong argument count/],
    ['template IN A {\n rcode nxdomain\n }', 3, 'nxdomain', /unknown rcode nxdomain/],
    ['template IN A {\n rcode RCODE3\n }', 3, 'RCODE3', /unknown rcode RCODE3/],
    ['template IN A {\n rcode BADVERS\n }', 3, 'BADVERS', /unknown rcode BADVERS/],
    ['template IN A {\n ederror\n }', 3, 'ederror', /Wrong argument count/],
    ['template IN A {\n ederror x\n }', 3, 'x', /error parsing extended DNS error code x, .*invalid syntax/],
    ['template IN A {\n ederror x y\n }', 3, 'x', /error code y, strconv.ParseUint: parsing "x": invalid syntax/],
    ['template IN A {\n ederror 65536\n }', 3, '65536', /value out of range/],
    ['template IN A {\n ederror 1 a b\n }', 3, 'b', /Wrong argument count/],
    ['template IN A {\n anwser x\n }', 3, 'anwser', /anwser/],
  ];
  for (const [body, line, word, text] of wrong) {
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word, message: text }, body);
  }
});

test('compile: one step with a rule for each template', () => {
  const steps: (readonly SlowRule[])[] = [];
  const program = { slowFor: (rules: readonly SlowRule[]) => steps.push(rules) } as unknown as BlockProgram;
  template.compile!(parse('template IN A x.org {\n match ^a\n fallthrough\n }\n template ANY ANY'), program, undefined);
  assert.deepEqual(steps, [
    [
      { zones: ['x.org.'], class: 1, type: 1, literals: [{ prefix: 'a', suffix: '' }], fallthrough: ['.'] },
      { zones: ['.', 'example.org.'], class: 255, type: 255, literals: undefined, fallthrough: undefined },
    ],
  ]);
});

test('sections, flags, groups, counted once', async () => {
  const { ask, counts, notices } = pluginOf(`template IN A example.org {
    match "^(?P<host>[a-z]+)[.]"
    answer "{{ .Name }} 60 IN A 192.0.2.{{ len .Group.host }}"
    additional "{{ .Group.host }}. 61 A 192.0.2.9"
    authority "{{ .Zone }} 62 NS ns.{{ .Zone }}"
  }`);
  const answer = await answered(ask(queryFor('WWW.example.org.')));
  assert.deepEqual(
    [answer.rcode, answer.flags, answer.edns, lines(answer.answer), lines(answer.additional), lines(answer.authority)],
    [
      0,
      FLAG_AA,
      undefined,
      ['www.example.org. 60 1 192.0.2.3'],
      ['www. 61 1 192.0.2.9'],
      ['example.org. 62 2 ns.example.org.'],
    ],
  );
  assert.deepEqual([...counts], [['coredns_template_matches_total dns://:53 example.org.  IN A', 1]]);
  assert.equal(notices(), 0);
});

test('selection: zone, class, type, expression, fallthrough, the order of the file', async () => {
  const { ask, asked } = pluginOf(`template IN A a.org {
      match ^one
      answer "x. A 192.0.2.1"
      fallthrough f.a.org
    }
    template ANY ANY a.org {
      match ^two
      answer "x. A 192.0.2.2"
      fallthrough
    }`);
  const first = async (name: string, fields: Partial<Query> = {}) => {
    const answer = await answered(ask(queryFor(name, fields)));
    if (answer.error !== undefined) return `${answer.rcode} ${answer.error}`;
    return lines(answer.answer)[0] ?? 'next';
  };
  assert.equal(await first('one.a.org.'), 'x. 3600 1 192.0.2.1');
  assert.equal(await first('two.f.a.org.'), 'x. 3600 1 192.0.2.2');
  assert.equal(await first('two.a.org.'), '2 ');
  assert.equal(await first('two.a.org.', { type: 28 }), 'x. 3600 1 192.0.2.2');
  assert.equal(await first('one.a.org.', { type: 255 }), 'x. 3600 1 192.0.2.1');
  assert.equal(await first('one.a.org.', { class: 255 }), 'x. 3600 1 192.0.2.1');
  assert.equal(await first('one.a.org.', { class: 3 }), 'next');
  assert.equal(await first('b.org.'), 'next');
  assert.equal(asked.length, 2);
});

test('.Class and .Type are the rule’s where the question is ANY, and empty for numbers without a name', async () => {
  const { ask, counts, notices } = pluginOf(
    'template CH TXT a. {\n answer "x. CH TXT {{ .Class }}-{{ .Type }}-"\n }\n template ANY ANY b. {\n answer "x. TXT {{ .Class }}-{{ .Type }}-"\n }',
  );
  const text = async (name: string, fields: Partial<Query>) =>
    rdataText(16, (await answered(ask(queryFor(name, fields)))).answer[0]!.rdata);
  assert.equal(await text('a.', { class: 255, type: 255 }), '"CH-TXT-"');
  assert.equal(await text('b.', { class: 255, type: 255 }), '"ANY-ANY-"');
  assert.equal(await text('b.', { class: 77, type: 9999 }), '"--"');
  assert.equal(counts.get('coredns_template_matches_total dns://:53 b.   '), 1);
  assert.equal(notices(), 2);
});

test('rcode: SERVFAIL says nothing else, others keep the records', async () => {
  const { ask } = pluginOf(`template IN A s. {
      rcode SERVFAIL
      answer "x. A 192.0.2.1"
    }
    template IN A n. {
      rcode NXDOMAIN
      answer "x. A 192.0.2.1"
    }`);
  assert.deepEqual(await ask(queryFor('s.')), {
    kind: 'answer',
    rcode: 2,
    flags: 0,
    answer: [],
    authority: [],
    additional: [],
    from: 'template',
    error: '',
  });
  const answer = await answered(ask(queryFor('n.')));
  assert.deepEqual([answer.rcode, answer.flags, answer.answer.length, answer.error], [3, FLAG_AA, 1, undefined]);
});

test('rcode REFUSED, FORMERR, NOTIMP: one reply, with its records (CoreDNS sends a bare one behind it)', async () => {
  for (const [word, rcode] of [
    ['REFUSED', 5],
    ['FORMERR', 1],
    ['NOTIMP', 4],
  ] as const) {
    const { ask } = pluginOf(`template IN A {\n rcode ${word}\n answer "x. A 192.0.2.1"\n }`);
    const answer = await answered(ask(queryFor('x.')));
    assert.deepEqual([answer.rcode, answer.answer.length, answer.error], [rcode, 1, undefined]);
  }
});

test('ederror: an OPT of 4096 octets with DO', async () => {
  const { ask } = pluginOf('template IN A {\n ederror 15 Blocked\n }');
  const { edns } = await answered(ask(queryFor('x.')));
  const octets = Uint8Array.of(0, 15, ...Buffer.from('Blocked'));
  const options = [{ code: 15, octets }];
  assert.deepEqual(edns, { payloadBytes: 4096, extendedRcode: 0, version: 0, flags: EDNS_DO, options });
});

test('a failing template: SERVFAIL with Go’s words, counted with the section and the template', async () => {
  const { ask, counts } = pluginOf('template IN A x.org {\n authority "{{.Name}} {{ .Nope }}"\n }');
  const answer = await answered(ask(queryFor('x.org.')));
  assert.equal(answer.rcode, 2);
  assert.equal(
    answer.error,
    `template: authority:1:13: executing "authority" at <.Nope>: can't evaluate field Nope in type *template.templateData`,
  );
  const labels = 'dns://:53 x.org.  IN A authority {{.Name}} {{.Nope}}';
  assert.equal(counts.get(`coredns_template_template_failures_total ${labels}`), 1);
});

test('a text that is no record: SERVFAIL, counted', async () => {
  const { ask, counts } = pluginOf('template IN A {\n answer "{{ .Name }} A nowhere"\n }');
  const answer = await answered(ask(queryFor('x.')));
  assert.deepEqual([answer.rcode, answer.error], [2, 'dns: bad A A: "nowhere" at line: 1:12']);
  assert.equal(counts.get('coredns_template_rr_failures_total dns://:53 .  IN A answer {{.Name}} A nowhere'), 1);
});

test('what no message can carry has no reply', async () => {
  const { ask } = pluginOf(
    'template IN TXT {\n answer "{{ if eq .Name `a.` }}a. TLSA 3 1 1 zz{{ end }}"\n }\n template IN A {\n rcode BADKEY\n }\n template IN AAAA {\n answer ""\n }',
  );
  const { rcode, ...text } = await answered(ask(queryFor('a.', { type: 16 })));
  assert.deepEqual([rcode, text.answer, text.withheld], [0, [], 0], 'a record that cannot be written');
  assert.equal((await answered(ask(queryFor('b.', { type: 16 })))).withheld, 0, 'no record');
  const extended = await answered(ask(queryFor('b.')));
  assert.deepEqual([extended.rcode, extended.withheld], [17, 0]);
  await assert.rejects(ask(queryFor('b.', { type: 28 })), /holds no record/);
});

test('texts behind one that holds no record are made all the same: one that fails is told', async () => {
  const { ask } = pluginOf(
    'template IN TXT {\n answer "; comment" "{{ index .Match 9 }}"\n authority "{{ .Zone }} NS a."\n }',
  );
  const answer = await answered(ask(queryFor('a.', { type: 16 })));
  assert.equal(answer.rcode, 2);
  assert.match(answer.error!, /index out of range: 9$/);
});

test('a CNAME in the answer is followed for A and AAAA; the last TC counts', async () => {
  const asked: string[] = [];
  const { ask } = pluginOf(
    'template IN ANY {\n answer "{{ .Name }} CNAME Target.Org" "x. A 192.0.2.1"\n }',
    async (_query, name, type) => {
      asked.push(`${name} ${type}`);
      return answerOf({ flags: FLAG_TC, answer: [recordOf(type, 'target.org.', 192, 0, 2, 5)] });
    },
  );
  const answer = await answered(ask(queryFor('a.org.')));
  assert.deepEqual(asked, ['Target.Org. 1']);
  assert.equal(answer.flags, FLAG_AA | FLAG_TC);
  assert.deepEqual(lines(answer.answer), [
    'a.org. 3600 5 Target.Org.',
    'target.org. 30 1 192.0.2.5',
    'x. 3600 1 192.0.2.1',
  ]);
  assert.equal((await answered(ask(queryFor('a.org.', { type: 16 })))).answer.length, 2);
  assert.equal(asked.length, 1);
});

test('groups that share a name: the last one counts, as in Go', async () => {
  const { ask } = pluginOf(`template IN TXT {
    match "^(?P<n>a[(]?)([)(\\]]\\()?(?P<n>b)?(?P<m>c)"
    answer "x. TXT <{{ .Group.n }}> <{{ .Group.m }}> {{ len .Match }} {{ index .Match 1 }}"
  }`);
  const text = async (name: string) =>
    rdataText(16, (await answered(ask(queryFor(name, { type: 16 })))).answer[0]!.rdata);
  assert.equal(await text('abc.'), '"<b>" "<c>" "5" "a"');
  assert.equal(await text('ac.'), '"<>" "<c>" "5" "a"');
});

test('None and Reserved are types', async () => {
  const { rules } = parse('template IN None\n template IN Reserved');
  assert.deepEqual(
    rules.map(({ type }) => type),
    [0, 65535],
  );
});

test('an evil expression costs linear time', async () => {
  const { ask } = pluginOf('template IN A {\n match ((a+)+)+[$]\n fallthrough\n }');
  const started = performance.now();
  await ask(queryFor(`${'a'.repeat(60)}.${'a'.repeat(60)}.${'a'.repeat(60)}.`));
  assert.ok(performance.now() - started < 5000);
});
