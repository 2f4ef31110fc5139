// Plugin loadbalance: the order of addresses changes from answer to answer, so that clients that take the first one
// spread. Stands above the cache: cached answers are reordered, too.

import { RCODE_NOERROR, TYPE_A, TYPE_AAAA, TYPE_AXFR, TYPE_IXFR, TYPE_SRV } from '../../../engine-as/shared/codes.ts';
import type { Answer, BlockProgram, Directive, EngineLookup, Plugin, Query } from '../../plugin/contract.ts';
import { createControl, type WeightsControl } from './control.ts';
import { preferredAnswer, shuffledAnswer } from './order.ts';
import { type LoadBalanceConfig, parseLoadBalance } from './parse.ts';

export const loadbalance: Directive<LoadBalanceConfig, WeightsControl> = {
  name: 'loadbalance',
  parse: parseLoadBalance,
  control: (config, _block, services) =>
    config.weights === undefined ? NO_WEIGHTS : createControl(config.weights, services),
  compile,
  create: (config, _block, services) => createPlugin(config, services.lookup, Math.random),
};

const NO_WEIGHTS: WeightsControl = { records: 0 };

function compile(config: LoadBalanceConfig, program: BlockProgram, control: WeightsControl | undefined): void {
  const { policy, prefer } = config;
  if (policy === 'weighted') program.rotate({ policy, address: control?.records ?? 0 });
  else if (prefer.length > 0) program.rotate({ policy: 'prefer', subnets: prefer });
  else program.rotate({ policy });
}

/** Weights are looked up for addresses only; everything else is put in order. */
function looksAt({ policy }: LoadBalanceConfig, { type }: Query, { rcode, hollow }: Answer): boolean {
  if (rcode !== RCODE_NOERROR || type === TYPE_AXFR || type === TYPE_IXFR) return false;
  if (policy !== 'weighted') return true;
  const isWeighed = type === TYPE_A || type === TYPE_AAAA || type === TYPE_SRV;
  return isWeighed && hollow!.some((section) => section !== 'authority');
}

/** @param random uniform in [0, 1) */
export function createPlugin(
  config: LoadBalanceConfig,
  lookup: Pick<EngineLookup, 'arrange'>,
  random: () => number,
): Plugin {
  const arranged = (query: Query, answer: Answer): Answer => {
    // The weights lie in shared memory.
    if (config.policy === 'weighted') return lookup.arrange(query, answer);
    const shuffled = shuffledAnswer(answer, random);
    return config.prefer.length > 0 ? preferredAnswer(shuffled, config.prefer) : shuffled;
  };
  return {
    name: 'loadbalance',
    looksAt: (query, answer) => looksAt(config, query, answer),
    async answer(query, next) {
      const outcome = await next(query);
      // A zone transfer is ordered: it begins and ends with the SOA.
      if (outcome.kind !== 'answer' || query.type === TYPE_AXFR || query.type === TYPE_IXFR) return outcome;
      return outcome.rcode === RCODE_NOERROR ? arranged(query, outcome) : outcome;
    },
  };
}
