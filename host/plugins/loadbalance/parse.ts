// `loadbalance [round_robin]`

import type { DirectiveReader, Line } from '../../corefile/reader.ts';

/** The only policy so far. */
export type LoadBalanceConfig = { readonly policy: 'round_robin' };

export function parseLoadBalance(reader: DirectiveReader): LoadBalanceConfig {
  for (const line of reader.occurrences) {
    checkPolicy(reader, line);
    reader.properties(line, {
      prefer: (property) => {
        throw reader.notSupported(property.word);
      },
    });
  }
  return { policy: 'round_robin' };
}

function checkPolicy(reader: DirectiveReader, line: Line): void {
  const [policy, extra] = line.args;
  if (policy === undefined) return;
  if (policy.text === 'weighted') throw reader.notSupported(policy);
  if (policy.text !== 'round_robin') throw reader.error(policy, `unknown policy: ${policy.text}`);
  if (extra !== undefined) throw reader.error(extra, `unknown property for ${policy.text}: '${extra.text}'`);
}
