// `loadbalance [round_robin | weighted FILE { reload DUR }] { prefer CIDR... }`

import { DurationError, parseDurationMs } from '../../corefile/duration.ts';
import type { DirectiveReader, Token } from '../../corefile/reader.ts';
import { parseAddressBlock } from '../../dns/address.ts';
import type { Subnet } from '../../plugin/contract.ts';

export type LoadBalanceConfig = {
  readonly policy: 'round_robin' | 'weighted';
  /** undefined only without any `weighted`. CoreDNS reads a file even where a later directive goes back to round_robin. */
  readonly weights: WeightsConfig | undefined;
  /** round_robin only; addresses in the first subnet come first. */
  readonly prefer: readonly Subnet[];
};

export type WeightsConfig = {
  readonly file: string;
  /** 0 = the file is read once, and has to be there. */
  readonly reloadMs: number;
};

const RELOAD_DEFAULT_MS = 30_000;

/** The directive may be repeated: the last policy counts, subnets add up until a `weighted`. */
export function parseLoadBalance(reader: DirectiveReader): LoadBalanceConfig {
  let config: LoadBalanceConfig = { policy: 'round_robin', weights: undefined, prefer: [] };
  reader.each(({ args }) => {
    const [policy, ...more] = args;
    if (policy?.text === 'weighted') {
      config = { policy: 'weighted', weights: parseWeighted(reader, policy, more), prefer: [] };
      // CoreDNS reads another block behind the first, on the line of its closing brace
      if (parsePrefer(reader).length > 0) throw reader.error(policy, `'prefer' with 'weighted' is not supported yet`);
      return;
    }
    if (policy !== undefined && policy.text !== 'round_robin') {
      throw reader.unknownWord(policy, `unknown policy: ${policy.text}`, ['round_robin', 'weighted']);
    }
    if (policy !== undefined && more[0] !== undefined) {
      throw reader.error(more[0], `unknown property for ${policy.text}: '${more[0].text}'`);
    }
    config = { ...config, policy: 'round_robin', prefer: [...config.prefer, ...parsePrefer(reader)] };
  });
  return config;
}

function parseWeighted(reader: DirectiveReader, policy: Token, more: readonly Token[]): WeightsConfig {
  const [file, extra] = more;
  if (file === undefined) throw reader.error(policy, 'missing weight file argument');
  if (extra !== undefined) throw reader.error(extra, 'unexpected argument(s)');
  let reloadMs = RELOAD_DEFAULT_MS;
  reader.properties({
    reload: (property) => {
      const [duration, second] = property.args;
      if (duration === undefined) throw reader.error(property.word, 'reload duration value is missing');
      if (second !== undefined) throw reader.error(second, 'unexpected argument');
      reloadMs = parseReload(reader, duration);
    },
  });
  return { file: reader.path(file), reloadMs };
}

function parseReload(reader: DirectiveReader, duration: Token): number {
  const invalid = () => reader.error(duration, `invalid reload duration '${duration.text}'`);
  try {
    const ms = parseDurationMs(duration.text);
    // There the process panics as soon as it serves.
    if (ms < 0) reader.refuseLast(invalid());
    return ms;
  } catch (error) {
    throw error instanceof DurationError ? invalid() : error;
  }
}

function parsePrefer(reader: DirectiveReader): Subnet[] {
  const subnets: Subnet[] = [];
  reader.properties({
    prefer: (property) => {
      for (const token of property.args) {
        const block = parseAddressBlock(token.text);
        if (block === undefined) {
          const quoted = JSON.stringify(token.text);
          throw reader.error(token, `invalid CIDR ${quoted}: invalid CIDR address: ${token.text}`);
        }
        subnets.push(withoutMapping(block));
      }
    },
  });
  return subnets;
}

const MAPPED_BITS = 96;

/** A block of IPv4-mapped addresses is one of IPv4 addresses, as for Go. */
function withoutMapping({ octets, prefixBits }: Subnet): Subnet {
  const isMapped = octets.length === 16 && octets.subarray(0, 12).every((octet, i) => octet === (i < 10 ? 0 : 0xff));
  return isMapped ? { octets: octets.slice(12), prefixBits: prefixBits - MAPPED_BITS } : { octets, prefixBits };
}
