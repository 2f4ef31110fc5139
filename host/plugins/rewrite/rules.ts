// What `rewrite` lines mean, as plain data: it crosses to every shard. Names are text in presentation form, lower-case,
// as rules see them: rules match texts, not labels, so `suffix ample.org.` matches `example.org.`.

/** How a rule looks at the name. `from` is a text, or for `regex` an expression in Go's syntax. */
export type NameMatch = {
  readonly how: 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex';
  readonly from: string;
};

/** `answer name FROM TO` and `answer value FROM TO`: FROM is an expression. */
export type AnswerRule = {
  readonly of: 'name' | 'value';
  readonly from: string;
  readonly to: string;
};

export type NameRule = {
  readonly field: 'name';
  readonly match: NameMatch;
  readonly to: string;
  /** Names of the reply are turned back. */
  readonly isAuto: boolean;
  readonly answers: readonly AnswerRule[];
};

export type NumberRule = {
  readonly field: 'type' | 'class';
  readonly from: number;
  readonly to: number;
};

export type EdnsAction = 'set' | 'append' | 'replace' | 'unset';

export type LocalRule = {
  readonly field: 'edns0';
  readonly option: 'local';
  readonly action: EdnsAction;
  readonly code: number;
  /** The option's octets, or the variable that names them: `{qname}`. */
  readonly data: Uint8Array | string;
  readonly isReverted: boolean;
};

export type NsidRule = {
  readonly field: 'edns0';
  readonly option: 'nsid';
  readonly action: EdnsAction;
  readonly isReverted: boolean;
};

export type SubnetRule = {
  readonly field: 'edns0';
  readonly option: 'subnet';
  readonly action: EdnsAction;
  readonly ipv4Bits: number;
  readonly ipv6Bits: number;
  readonly isReverted: boolean;
};

export type TtlRule = {
  readonly field: 'ttl';
  readonly match: NameMatch;
  readonly minSeconds: number;
  readonly maxSeconds: number;
};

export type CnameRule = {
  readonly field: 'cname';
  readonly match: NameMatch;
  readonly to: string;
};

export type RcodeRule = {
  readonly field: 'rcode';
  readonly match: NameMatch;
  readonly from: number;
  readonly to: number;
};

export type RuleWords = NameRule | NumberRule | LocalRule | NsidRule | SubnetRule | TtlRule | CnameRule | RcodeRule;

/** One rule and what follows when it matched: `stop` ends the list, `continue` goes on with the next one. */
export type Rule = RuleWords & { readonly isLast: boolean };

export type RewriteConfig = { readonly rules: readonly Rule[] };

/** Variables of `edns0 local`; `{PLUGIN/LABEL}` reads a metadata label. */
export const VARIABLES: readonly string[] = [
  ...['{qname}', '{qtype}', '{client_ip}', '{client_port}', '{protocol}', '{server_ip}', '{server_port}'],
];
