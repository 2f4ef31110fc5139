import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelector, SelectorError, selectorText, withLabel } from '../../host/kubernetes/label-selector.ts';

test('what the API is asked for', () => {
  const table: readonly (readonly [string, string])[] = [
    ['', ''],
    [' \t', ''],
    ['env=prod', 'env=prod'],
    ['env == prod', 'env=prod'],
    ['env=', 'env='],
    ['b=1,a=2', 'a=2,b=1'],
    ['a=1,a=2', 'a=2'],
    ['a', 'a'],
    ['!a', '!a'],
    ['in', 'in'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['a in (y, x ,x)', 'a in (x,y)'],
    ['a notin (x)', 'a notin (x)'],
    ['a in ()', 'a in ()'],
    ['a in (,x)', 'a in (,x)'],
    ['a in (x,)', 'a in (,x)'],
    ['z in (1),example.com/App_1=x.y,!b', '!b,example.com/App_1=x.y,z in (1)'],
    ['a in (x),a=1', 'a=1,a in (x)'],
  ];
  for (const [text, sent] of table) assert.equal(selectorText(parseSelector(text)), sent, text);
});

test('one more requirement stands where its key belongs', () => {
  assert.equal(selectorText(withLabel(parseSelector('a=1,z'), 'm/x')), 'a=1,m/x,z');
  assert.equal(selectorText(withLabel([], 'm/x')), 'm/x');
});

test('what is refused, in the words of the API machinery', () => {
  const syntax = (text: string, fault: string) => `couldn't parse the selector string "${text}": ${fault}`;
  const requirement = (text: string, fault: string) => syntax(text, `unable to parse requirement: ${fault}`);
  const form = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  const name = `must consist of ${form} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;
  const value = `a valid label must be an empty string or consist of ${form} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;
  const table: readonly (readonly [string, string])[] = [
    ['a!=b', '"!=" is not a valid label selector operator'],
    ['a>1', `"gt" isn't supported in label selectors`],
    ['a<1,z!=1', `"lt" isn't supported in label selectors`],
    ['=a', syntax('=a', "found '=', expected: !, identifier, or 'end of string'")],
    ['a b', requirement('a b', "found 'b', expected: in, notin, =, ==, !=, gt, lt")],
    ['a=b c', syntax('a=b c', "found 'c', expected: ',' or 'end of string'")],
    ['!a=b', syntax('!a=b', "found '=', expected: ',' or 'end of string'")],
    ['a,', syntax('a,', "found '', expected: identifier after ','")],
    ['!', requirement('!', "found '', expected: identifier")],
    ['a=(', requirement('a=(', "found '(', expected: identifier")],
    ['a in x', requirement('a in x', "found 'x' expected: '('")],
    ['a in (x', requirement('a in (x', "found '', expected: ',' or ')'")],
    ['a in (=)', requirement('a in (=)', "found '=', expected: ',', ')' or identifier")],
    ['a in (x,=)', requirement('a in (x,=)', "found '=', expected: ',', or identifier")],
    ['-a', requirement('-a', `<nil>: Invalid value: "-a": name part ${name}`)],
    ['x/', requirement('x/', `<nil>: Invalid value: "x/": name part must be non-empty; name part ${name}`)],
    [
      'a/b/c',
      requirement(
        'a/b/c',
        `<nil>: Invalid value: "a/b/c": a valid label key ${name} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ),
    ],
    ['a=-', requirement('a=-', `values[0][a]: Invalid value: "-": ${value}`)],
    [
      `a=${'x'.repeat(64)}`,
      requirement(
        `a=${'x'.repeat(64)}`,
        `values[0][a]: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`,
      ),
    ],
    [
      'a>x',
      requirement('a>x', `values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`),
    ],
  ];
  for (const [text, message] of table) {
    assert.throws(
      () => parseSelector(text),
      (error: unknown) => {
        assert.ok(error instanceof SelectorError);
        assert.equal(error.message, message, text);
        return true;
      },
    );
  }
});
