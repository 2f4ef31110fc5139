// `edns0 local|nsid|subnet set|append|replace|unset ... [revert]`

import type { Token } from '../../corefile/reader.ts';
import type { RuleText } from './parse-name.ts';
import { hexOctets, unsigned16 } from './parse-numbers.ts';
import { type EdnsAction, type LocalRule, type NsidRule, type SubnetRule, VARIABLES } from './rules.ts';

const ACTIONS: readonly string[] = ['set', 'append', 'replace', 'unset'];
const OPTIONS: readonly string[] = ['local', 'nsid', 'subnet'];

export type EdnsRule = LocalRule | NsidRule | SubnetRule;

export function parseEdnsRule(text: RuleText): EdnsRule {
  const { reader, field, words } = text;
  if (words.length < 2) throw reader.error(field, 'too few arguments for an EDNS0 rule');
  const option = words[0]!.text.toLowerCase();
  const action = words[1]!.text.toLowerCase() as EdnsAction;
  if (!ACTIONS.includes(action))
    throw reader.unknownWord(words[1]!, `invalid action: ${JSON.stringify(action)}`, ACTIONS);
  const isReverted = action !== 'unset' && words.at(-1)!.text === 'revert';
  const args = words.slice(2, isReverted ? -1 : undefined);
  if (!OPTIONS.includes(option))
    throw reader.unknownWord(words[0]!, `invalid rule type ${JSON.stringify(option)}`, OPTIONS);
  if (action === 'unset') return parseUnset(text, option, args);
  if (option === 'nsid') {
    if (args.length > 0) throw reader.error(args[0]!, 'EDNS0 NSID rules can accept no more than one arg');
    return { field: 'edns0', option: 'nsid', action, isReverted };
  }
  if (args.length !== 2) {
    throw reader.error(args[2] ?? words.at(-1)!, `EDNS0 ${option} rules require three or four args`);
  }
  if (option === 'subnet') {
    const ipv4Bits = bits(text, args[0]!, 'IPv4', 32);
    const ipv6Bits = bits(text, args[1]!, 'IPv6', 128);
    return { field: 'edns0', option: 'subnet', action, ipv4Bits, ipv6Bits, isReverted };
  }
  const code = unsigned(text, args[0]!);
  return { field: 'edns0', option: 'local', action, code, data: localData(text, args[1]!), isReverted };
}

function parseUnset(text: RuleText, option: string, args: readonly Token[]): EdnsRule {
  const { reader, words } = text;
  const common = { field: 'edns0', action: 'unset', isReverted: false } as const;
  if (option === 'local') {
    if (args.length !== 1) throw reader.error(words.at(-1)!, 'local unset action requires exactly two arguments');
    return { ...common, option: 'local', code: unsigned(text, args[0]!), data: new Uint8Array() };
  }
  if (args.length > 0) throw reader.error(args[0]!, `${option} unset action requires exactly one argument`);
  if (option === 'nsid') return { ...common, option: 'nsid' };
  return { ...common, option: 'subnet', ipv4Bits: 0, ipv6Bits: 0 };
}

/** `0x` and hex digits, `{variable}`, or a text. */
function localData({ reader }: RuleText, token: Token): Uint8Array | string {
  const { text } = token;
  if (text.startsWith('{') && text.endsWith('}')) {
    if (VARIABLES.includes(text) || isLabel(text.slice(1, -1))) return text;
    throw reader.error(token, `unsupported variable name ${JSON.stringify(text)}`);
  }
  if (!text.startsWith('0x')) return Uint8Array.from(Buffer.from(text));
  const octets = hexOctets(text.slice(2));
  if (typeof octets === 'string') throw reader.error(token, octets);
  return octets;
}

/** `PLUGIN/NAME`, as plugin metadata names its labels. */
function isLabel(text: string): boolean {
  const slash = text.indexOf('/');
  return slash > 0 && slash < text.length - 1;
}

function bits(text: RuleText, token: Token, family: string, max: number): number {
  const value = unsigned(text, token);
  if (value > max) throw text.reader.error(token, `invalid ${family} bit mask length ${value}`);
  return value;
}

function unsigned({ reader }: RuleText, token: Token): number {
  const value = unsigned16(token.text);
  if (typeof value === 'string') throw reader.error(token, value);
  return value;
}
