import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as codes from '../../engine-as/shared/codes.ts';
import {
  className,
  classNumber,
  opcodeName,
  rcodeName,
  rcodeNumber,
  typeName,
  typeNumber,
} from '../../host/dns/types.ts';

test("every number of the engine's table has the name it has there", () => {
  let count = 0;
  for (const [constant, number] of Object.entries(codes)) {
    const [prefix, ...rest] = constant.split('_');
    const text = rest.join('_');
    if (prefix === 'TYPE') assert.equal(typeName(number), text);
    else if (prefix === 'CLASS') assert.equal(className(number), text);
    else if (prefix === 'RCODE' && text !== 'MASK') assert.equal(rcodeName(number), text);
    else if (prefix === 'OPCODE' && !['MASK', 'SHIFT'].includes(text)) assert.equal(opcodeName(number), text);
    else continue;
    count++;
  }
  assert.ok(count > 30, `${count}`);
});

test('every number has a name that leads back to it', () => {
  for (let number = 0; number <= 0xffff; number++) {
    if (number !== 0 && number !== 0xffff) assert.equal(typeNumber(typeName(number)), number);
    assert.equal(classNumber(className(number)), number);
    assert.equal(rcodeNumber(rcodeName(number)), number);
  }
});

test('texts', () => {
  assert.equal(typeNumber('aaaa'), 28);
  assert.equal(typeNumber('TYPE65280'), 65280);
  assert.equal(typeNumber('type1'), 1);
  assert.equal(classNumber('CLASS2'), 2);
  assert.equal(typeName(65280), 'TYPE65280');
  assert.equal(typeName(23), 'NSAP-PTR');
  // Printed so, but never read
  assert.deepEqual([typeName(0), typeName(0xffff)], ['None', 'Reserved']);
  assert.deepEqual([typeNumber('None'), typeNumber('Reserved')], [undefined, undefined]);
  assert.equal(opcodeName(15), 'OPCODE15');
  for (const text of ['', 'TYPE', 'TYPE65536', 'TYPE-1', 'TYPE1x', 'nosuch', 'TYPE1.5', '1']) {
    assert.equal(typeNumber(text), undefined, text);
  }
});
