// Which questions a plugin's slow face wants to see: by zone, class, type, and by what their names begin and end with.

import { CLASS_ANY, TYPE_ANY } from '../shared/codes';
import { NAME_LITERAL_STRIDE, SLOW_RULE_STRIDE } from '../shared/layout';
import { lowerAt, qclass, qnameBytes, qtype } from '../wire/query';
import { longestZone } from './zones';

/** True if the question fits a rule of the step. */
export function fitsSlowRule(step: u32): bool {
  const rules = load<u32>(step + 8); // Bounds: compiled by the host
  const count = load<u32>(step + 12);
  for (let i: u32 = 0; i < count; i++) {
    if (fitsRule(rules + i * SLOW_RULE_STRIDE)) return true;
  }
  return false;
}

function fitsRule(rule: u32): bool {
  const ruleClass = load<u32>(rule + 4); // Bounds: compiled by the host
  const ruleType = load<u32>(rule + 8);
  if (ruleClass != CLASS_ANY && qclass != CLASS_ANY && ruleClass != qclass) return false;
  if (ruleType != TYPE_ANY && qtype != TYPE_ANY && ruleType != qtype) return false;
  if (!longestZone(load<u32>(rule))) return false;
  const literals = load<u32>(rule + 12);
  if (!literals) return true;
  const count = load<u32>(rule + 16);
  for (let i: u32 = 0; i < count; i++) {
    if (fitsLiteral(literals + i * NAME_LITERAL_STRIDE)) return true;
  }
  return !longestZone(load<u32>(rule + 20));
}

// A literal speaks of the name's text, which is the wire form one octet further on, with dots where the lengths of
// labels stand, as long as nothing is escaped. Whatever is not certain counts as fitting: the slow face looks again.

function fitsLiteral(literal: u32): bool {
  const prefixBytes = load<u32>(literal + 4); // Bounds: compiled by the host
  const suffixBytes = load<u32>(literal + 12);
  return fitsPrefix(load<u32>(literal), prefixBytes) && fitsSuffix(load<u32>(literal + 8), suffixBytes);
}

function fitsPrefix(prefix: u32, bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i++) {
    if (i + 1 >= qnameBytes) return true;
    // Bounds: inside the name and the literal. An escape begins with a backslash, which no literal has
    if (!mayBe(load<u8>(prefix + i), load<u8>(lowerAt + 1 + i))) return false;
  }
  return true;
}

function fitsSuffix(suffix: u32, bytes: u32): bool {
  for (let i: u32 = 1; i <= bytes; i++) {
    if (i >= qnameBytes) return true;
    const wanted = load<u8>(suffix + bytes - i); // Bounds: inside the name and the literal
    const octet = load<u8>(lowerAt + qnameBytes - i);
    if (mayBe(wanted, octet)) continue;
    // An escaped octet ends in a digit of its own
    return isDigit(wanted) && (octet < 0x21 || octet > 0x7e);
  }
  return true;
}

/** True if the character may stand for the octet: a dot for every length of a label. */
function mayBe(character: u8, octet: u8): bool {
  return character == 0x2e ? octet <= 63 : character == octet;
}

function isDigit(character: u8): bool {
  return character >= 0x30 && character <= 0x39;
}
