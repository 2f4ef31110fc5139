import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import {
  composeName,
  isInZone,
  isSameWire,
  labelsOf,
  longestZone,
  NameError,
  nameText,
  normalName,
  parentName,
  spelledText,
} from '../../host/dns/name.ts';

const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
/** Names of any octets, within the limit of 255. */
const wireName = fc
  .array(label, { maxLength: 6 })
  .map((labels) => labels.flatMap((octets) => [octets.length, ...octets]))
  .filter((octets) => octets.length < 255)
  .map((octets) => Uint8Array.from([...octets, 0]));
const plainName = fc
  .array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/), { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join('.'));

test('property: wire -> text -> wire, any octets', () => {
  fc.assert(
    fc.property(wireName, (wire) => {
      const text = spelledText(wire);
      assert.match(text, /^[\x20-\x7e]*\.$/);
      assert.deepEqual(composeName(text), wire);
      assert.ok(isSameWire(composeName(nameText(wire)), wire));
    }),
  );
});

test('property: plain names agree with dns-packet', () => {
  fc.assert(
    fc.property(plainName, (name) => {
      const theirs = dnsPacket.encode({ type: 'query', questions: [{ type: 'A', name }] }).subarray(12, -4);
      assert.deepEqual(Buffer.from(composeName(name)), theirs);
    }),
  );
});

test('property: labelsOf, parentName and isInZone agree with the wire', () => {
  fc.assert(
    fc.property(wireName, (wire) => {
      const name = nameText(wire);
      const labels = labelsOf(name);
      assert.equal(labels.map((part) => `${part}.`).join('') || '.', name);
      let count = 0;
      for (let at = 0; wire[at] !== 0; at += 1 + wire[at]!) count++;
      assert.equal(labels.length, count);
      for (let zone: string | undefined = name; zone !== undefined; zone = parentName(zone)) {
        assert.ok(isInZone(name, zone), `${name} in ${zone}`);
      }
    }),
  );
});

test('escapes in text', () => {
  assert.equal(spelledText(composeName('a\\.b.c')), 'a\\.b.c.');
  assert.equal(spelledText(composeName('\\065\\066')), 'AB.');
  assert.equal(spelledText(composeName('\\000\\255 x')), '\\000\\255\\ x.');
  assert.equal(spelledText(composeName(`"'@;()\\\\`)), `\\"\\'\\@\\;\\(\\)\\\\.`);
  assert.equal(normalName('é.EXAMPLE'), '\\195\\169.example.');
  assert.equal(normalName('Ab\\067.Org'), 'abc.org.');
  assert.equal(normalName('.'), '.');
});

test('limits: 63 octets a label, 255 a name', () => {
  const longLabel = 'a'.repeat(63);
  assert.equal(composeName(longLabel).length, 65);
  assert.throws(() => composeName(`${longLabel}a`), { name: 'NameError', message: /must not exceed 63 octets/ });
  const longest = `${`${longLabel}.`.repeat(3)}${'b'.repeat(61)}.`;
  assert.equal(composeName(longest).length, 255);
  assert.equal(composeName(longest.slice(0, -1)).length, 255);
  assert.throws(() => composeName(`b${longest}`), NameError);
  assert.throws(() => composeName(`${'b'.repeat(62)}.${longest.slice(62)}`.repeat(2)), NameError);
  const spelledLong = `${`${'\\255'.repeat(63)}.`.repeat(3)}${'\\255'.repeat(61)}`;
  assert.equal(composeName(spelledLong).length, 255);
  assert.throws(() => composeName('a.'.repeat(128)), { message: /must not exceed 255 octets/ });
});

test('texts that are no name', () => {
  for (const text of ['', '..', '.a', 'a..b', 'a..', 'a\\', 'a\\25', 'a\\2x5', 'a\\256', 'a\\999.b']) {
    assert.throws(() => composeName(text), NameError, JSON.stringify(text));
  }
});

test('property: composeName never throws anything but NameError', () => {
  const text = fc
    .array(fc.constantFrom('a', '.', '\\', '0', '9', '\\1', 'é', ' ', 'x'.repeat(40)))
    .map((all) => all.join(''));
  fc.assert(
    fc.property(text, (candidate) => {
      try {
        const wire = composeName(candidate);
        assert.ok(wire.length <= 255);
        assert.equal(wire.at(-1), 0);
      } catch (error) {
        assert.ok(error instanceof NameError, String(error));
      }
    }),
  );
});

test('isInZone compares labels, not characters', () => {
  assert.ok(isInZone('a.example.org.', 'example.org.'));
  assert.ok(isInZone('example.org.', 'example.org.'));
  assert.ok(isInZone('example.org.', '.'));
  assert.ok(!isInZone('badexample.org.', 'example.org.'));
  assert.ok(!isInZone('bad\\.example.org.', 'example.org.'));
  assert.ok(isInZone('bad\\\\.example.org.', 'example.org.'));
  assert.ok(!isInZone('org.', 'example.org.'));
});

test('longestZone', () => {
  const zones = ['.', 'org.', 'example.org.', 'other.'];
  assert.equal(longestZone(zones, 'www.example.org.'), 'example.org.');
  assert.equal(longestZone(zones, 'x.org.'), 'org.');
  assert.equal(longestZone(zones, 'x.net.'), '.');
  assert.equal(longestZone(['org.'], 'x.net.'), undefined);
  assert.equal(longestZone([], '.'), undefined);
});

test('isSameWire folds ASCII letters only', () => {
  assert.ok(isSameWire(composeName('WWW.Example.'), composeName('www.eXample.')));
  assert.ok(!isSameWire(composeName('\\195\\137.'), composeName('\\195\\169.')));
  assert.ok(!isSameWire(composeName('a\\064.'), composeName('a\\096.')));
  assert.ok(!isSameWire(composeName('a.'), composeName('a.b.')));
});

test('parentName', () => {
  assert.equal(parentName('a\\.b.c.'), 'c.');
  assert.equal(parentName('c.'), '.');
  assert.equal(parentName('.'), undefined);
});
