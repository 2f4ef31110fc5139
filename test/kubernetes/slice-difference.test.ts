import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packAddress } from '../../host/kubernetes/addresses.ts';
import { compareSlices, endpointCount, NEW } from '../../host/kubernetes/slice-difference.ts';

interface Plain {
  readonly address: string;
  readonly hostname: string;
}

const endpoint = fc.record({
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'),
  hostname: fc.constantFrom('', 'a', 'b'),
});

function sliceOf(endpoints: readonly Plain[]) {
  const hasNames = endpoints.some(({ hostname }) => hostname !== '');
  return {
    family: endpoints.length === 0 ? 0 : 4,
    addresses: endpoints.map(({ address }) => packAddress(address)).join(''),
    hostnames: hasNames ? endpoints.map(({ hostname }) => hostname).join('\n') : '',
  };
}

function textOf({ address, hostname }: Plain): string {
  return `${hostname} ${address}`;
}

test('what stays, goes and comes makes the slice as it was and as it is', () => {
  fc.assert(
    fc.property(fc.array(endpoint, { maxLength: 8 }), fc.array(endpoint, { maxLength: 8 }), (before, after) => {
      const { removed, added, origins } = compareSlices(sliceOf(before), sliceOf(after));
      const kept = [...origins].filter((origin) => origin !== NEW);
      assert.equal(new Set([...kept, ...removed]).size, before.length);
      assert.equal(kept.length + removed.length, before.length);
      for (const [at, origin] of origins.entries()) {
        if (origin === NEW) assert.ok(added.includes(at));
        else assert.equal(textOf(before[origin]!), textOf(after[at]!));
      }
      // Nothing that is in both is said to have gone and come.
      const gone = removed.map((at) => textOf(before[at]!));
      const isBoth = added.some((at) => gone.includes(textOf(after[at]!)));
      const isRepeated = new Set(before.map(textOf)).size < before.length;
      assert.ok(!isBoth || isRepeated);
    }),
    { numRuns: 2000 },
  );
});

test('addresses of another family are others, whatever their octets are', () => {
  const v6 = { family: 16, addresses: packAddress('::10.0.0.1'), hostnames: '' };
  const v4 = { family: 4, addresses: packAddress('0.0.0.0').repeat(3) + packAddress('10.0.0.1'), hostnames: '' };
  assert.equal(endpointCount(v6), 1);
  assert.equal(endpointCount(v4), 4);
  assert.deepEqual(compareSlices(v6, v4).added, [0, 1, 2, 3]);
});
