// Rules of plugin rewrite as the host compiles them and the engine tries them. Like layout.ts for both compilers, so only
// plain integer constants.

// Parameters of STEP_REWRITE
export const REWRITE_RULES = 8; // address
export const REWRITE_RULE_COUNT = 12; // u32

// One rule, in file order
export const RULE_STRIDE = 40;
export const RULE_KIND = 0; // u32
export const RULE_NAME = 1; // FROM becomes TO
export const RULE_TYPE = 2; // type A becomes B
export const RULE_CLASS = 3; // class A becomes B
export const RULE_TTL = 4; // TTLs of the reply are clamped between A and B
export const RULE_RCODE = 5; // rcode A of the reply becomes B
export const RULE_SLOW = 6; // a match sends the query to the slow face
export const RULE_FLAGS = 4; // u32
export const RULE_LAST = 1; // stop
export const RULE_AUTO = 2; // answer auto
export const RULE_HOW = 8; // u32: how FROM is looked at
export const HOW_EXACT = 0;
export const HOW_PREFIX = 1;
export const HOW_SUFFIX = 2;
export const HOW_SUBSTRING = 3; // no octets at all: always
export const RULE_FROM = 12; // address of a text, +4 octets
export const RULE_FROM_BYTES = 16;
export const RULE_TO = 20;
export const RULE_TO_BYTES = 24;
export const RULE_A = 28; // u32
export const RULE_B = 32; // u32
