// Whatever happened to the cluster, the engine says what the plain model says: names of ports with and without
// underscores, of endpoints, pods and topology zones, with all options that make other names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  OUTCOME_ANSWER,
  RCODE_NXDOMAIN,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_SRV,
} from '../../engine-as/shared/codes.ts';
import { composeMessage, parseMessage, rcodeOf } from '../../host/dns/message.ts';
import { composeName } from '../../host/dns/name.ts';
import { rdataText } from '../dns/rdata-forms.ts';
import { answer, type ModelAnswer } from '../kubernetes/model.ts';
import { options, possibleNames, step } from '../kubernetes/steps.ts';
import { finalObjects, TestCluster } from '../kubernetes/test-cluster.ts';
import { EngineWorld, recordsStep } from './world.ts';

const TYPES = { A: TYPE_A, AAAA: TYPE_AAAA, SRV: TYPE_SRV, CNAME: TYPE_CNAME } as const;
const ZONE = 'cluster.local.';

function asked(world: EngineWorld, name: string, type: keyof typeof TYPES): ModelAnswer {
  const wire = composeName(name === '' ? ZONE : `${name}.${ZONE}`);
  const question = { name: '', type: TYPES[type], class: 1, wire };
  const sections = { questions: [question], answer: [], authority: [], additional: [] };
  const { outcome, reply } = world.ask(composeMessage({ id: 1, flags: 0x100, ...sections }), { tcp: true });
  assert.equal(outcome, OUTCOME_ANSWER, name);
  const message = parseMessage(reply!);
  if (rcodeOf(message) === RCODE_NXDOMAIN) return 'nxdomain';
  const texts = message.answer.map((record) => `${type} ${rdataText(record.type, record.rdata)}`);
  return texts.map((text) => text.replace(`.${ZONE}`, '').replace(/\.$/, '')).sort((a, b) => (a < b ? -1 : 1));
}

test('after any history the engine says what the plain model says', () => {
  const names = possibleNames();
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), options, (steps, shape) => {
      const world = new EngineWorld();
      const store = world.createRecords();
      const cluster = new TestCluster(shape.pods, [], shape, store);
      const seen = steps.filter((change) => shape.pods === 'verified' || change.kind !== 'pod');
      for (const change of seen) cluster.apply(change);
      cluster.flush();
      store.setSynced(true);
      world.load([ZONE], (program) =>
        program.records(recordsStep(store, [ZONE], { pods: shape.pods, zonal: shape.isZonal })),
      );
      const objects = finalObjects(seen);
      for (const name of names) {
        const alias = answer(objects, shape, name, 'CNAME');
        // An alias is followed for addresses, which the model does not do.
        const types =
          alias !== 'nxdomain' && alias.length > 0 ? (['SRV', 'CNAME'] as const) : (Object.keys(TYPES) as never);
        for (const type of types as readonly (keyof typeof TYPES)[]) {
          const expected = answer(objects, shape, name, type);
          const plain =
            expected === 'nxdomain' ? expected : expected.map((text) => text.replace(`.${ZONE.slice(0, -1)}`, ''));
          assert.deepEqual(asked(world, name, type), plain, `${name} ${type}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});
