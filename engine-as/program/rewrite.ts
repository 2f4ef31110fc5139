// Plugin rewrite: a block's rules tried on the question, and what they leave for the reply. Rules match the text of the
// lower-case name. A rule that only the slow face can apply sends the query there, untouched.
//
//   REWRITE_SCRATCH
//   0               1024             2048                                   20480
//   ├ new name, wire ┼ response rules ┼ texts of names, one behind the other ┼ a reply on its way back ┤

import {
  LEFT_MAX,
  LEFT_STRIDE,
  REWRITE_LEFT,
  REWRITE_SCRATCH,
  REWRITE_TEXTS,
  REWRITE_TEXTS_BYTES,
} from '../shared/layout';
import {
  HOW_EXACT,
  HOW_PREFIX,
  HOW_SUBSTRING,
  HOW_SUFFIX,
  REWRITE_RULES,
  REWRITE_RULE_COUNT,
  RULE_A,
  RULE_AUTO,
  RULE_B,
  RULE_CLASS,
  RULE_FLAGS,
  RULE_FROM,
  RULE_FROM_BYTES,
  RULE_HOW,
  RULE_KIND,
  RULE_LAST,
  RULE_NAME,
  RULE_SLOW,
  RULE_STRIDE,
  RULE_TO,
  RULE_TO_BYTES,
  RULE_TTL,
  RULE_TYPE,
} from '../shared/rules';
import { sameOctets } from '../wire/name';
import { area, isRewritten, lowerAt, qclass, qnameAt, qtype, rewriteQuestion } from '../wire/query';
import { TEXT_BYTES_MAX, brokenTextBytes, nameToText, textIsPlain, textToName } from '../wire/text';

// Response rules: u32 kind, u32 a, u32 aBytes, u32 b, u32 bBytes.
const LEFT_REMAP: u32 = 1; // a and the names below it become b
const LEFT_SUFFIX: u32 = 2; // the suffix a becomes b
const LEFT_TTL: u32 = 3; // a = least, b = most
const LEFT_RCODE: u32 = 4; // a becomes b

/** The reply goes back through the rules, and repeats the question as it was asked. */
let isRestoring: bool = false;
/** Names of the reply differ from those that the client knows. */
export let hasNewName: bool = false;
let leftCount: u32 = 0;

// The name as the rules have made it so far.
let text: u32 = 0;
let textBytes: u32 = 0;
let textsEnd: u32 = 0;

/** For a query that no rule has seen yet. */
export function forgetRules(): void {
  isRestoring = false;
  hasNewName = false;
  leftCount = 0;
}

export function isRestored(): bool {
  return isRewritten && isRestoring;
}

/** Tries the step's rules in order and takes the question that they make. False: the slow face has to. */
export function applyRules(step: u32): bool {
  const count = load<u32>(step + REWRITE_RULE_COUNT); // Bounds: compiled by the host
  const rules = load<u32>(step + REWRITE_RULES);
  forgetRules();
  textsEnd = area + REWRITE_SCRATCH + REWRITE_TEXTS;
  text = textsEnd;
  textBytes = nameToText(lowerAt, text);
  textsEnd += textBytes;
  const isPlain = textIsPlain;
  let type = qtype;
  let qclassNow = qclass;
  let isMatched = false;
  for (let i: u32 = 0; i < count; i++) {
    const rule = rules + i * RULE_STRIDE; // Bounds: i < count
    const kind = load<u32>(rule + RULE_KIND);
    if (kind == RULE_TYPE) {
      if (type != load<u32>(rule + RULE_A)) continue;
      type = load<u32>(rule + RULE_B);
    } else if (kind == RULE_CLASS) {
      if (qclassNow != load<u32>(rule + RULE_A)) continue;
      qclassNow = load<u32>(rule + RULE_B);
    } else {
      const place = findText(rule);
      if (place == NOWHERE) continue;
      // What rules make of an escape is the slow face's matter, and so is a reply with many rules.
      if (kind == RULE_SLOW || leftCount + 2 > <u32>LEFT_MAX) return false;
      if (kind == RULE_NAME) {
        if (!isPlain || !replaceText(rule, place)) return false;
      } else leave(kind == RULE_TTL ? LEFT_TTL : LEFT_RCODE, load<u32>(rule + RULE_A), 0, load<u32>(rule + RULE_B), 0);
    }
    isMatched = true;
    if (load<u32>(rule + RULE_FLAGS) & RULE_LAST) {
      isRestoring = true;
      break;
    }
  }
  if (!isMatched) return true;
  if (leftCount) isRestoring = true;
  rewriteQuestion(hasNewName ? area + REWRITE_SCRATCH : qnameAt, type, qclassNow);
  return true;
}

const NOWHERE: u32 = 0xffffffff;

/** Where the rule's FROM stands in the text, by its way to look; NOWHERE: no match. */
function findText(rule: u32): u32 {
  const how = load<u32>(rule + RULE_HOW); // Bounds: compiled by the host
  const from = load<u32>(rule + RULE_FROM);
  const bytes = load<u32>(rule + RULE_FROM_BYTES);
  if (bytes > textBytes || (how == HOW_EXACT && bytes != textBytes)) return NOWHERE;
  if (how == HOW_EXACT || how == HOW_PREFIX) return sameOctets(text, from, bytes) ? 0 : NOWHERE;
  const last = textBytes - bytes;
  if (how == HOW_SUFFIX) return sameOctets(text + last, from, bytes) ? last : NOWHERE;
  return findOctets(from, bytes, 0);
}

/** First place of the octets in the text from `start` on. */
function findOctets(from: u32, bytes: u32, start: u32): u32 {
  if (bytes == 0) return start;
  const first = load<u8>(from); // Bounds: bytes > 0
  for (let i = start; i + bytes <= textBytes; i++) {
    if (load<u8>(text + i) == first && sameOctets(text + i, from, bytes)) return i;
  }
  return NOWHERE;
}

/** Puts TO in FROM's place, which stands at `place`; false: the result is too long for a name. */
function replaceText(rule: u32, place: u32): bool {
  const how = load<u32>(rule + RULE_HOW); // Bounds: compiled by the host
  const from = load<u32>(rule + RULE_FROM);
  const fromBytes = load<u32>(rule + RULE_FROM_BYTES);
  const to = load<u32>(rule + RULE_TO);
  const toBytes = load<u32>(rule + RULE_TO_BYTES);
  if (textsEnd + TEXT_BYTES_MAX > area + REWRITE_SCRATCH + REWRITE_TEXTS + REWRITE_TEXTS_BYTES) return false;
  if (how == HOW_SUBSTRING && !fromBytes) return false; // nothing is found for ever
  const start = textsEnd;
  let out = start;
  let behind: u32 = 0; // of the last FROM in the old text
  for (let at = place; at != NOWHERE; ) {
    if (out - start + (at - behind) + toBytes + fromBytes > TEXT_BYTES_MAX / 2) return false;
    memory.copy(out, text + behind, at - behind); // Bounds: as checked
    memory.copy(out + (at - behind), to, toBytes);
    out += at - behind + toBytes;
    behind = at + fromBytes;
    at = how == HOW_SUBSTRING ? findOctets(from, fromBytes, behind) : NOWHERE;
  }
  if (out - start + (textBytes - behind) > TEXT_BYTES_MAX / 2) return false;
  memory.copy(out, text + behind, textBytes - behind);
  out += textBytes - behind;
  leaveNames(rule, how, start, out - start);
  text = start;
  textBytes = out - start;
  textsEnd = out;
  hasNewName = true;
  return isName();
}

/** `answer auto` turns a suffix back as a suffix, and any other name as the name that it was. */
function leaveNames(rule: u32, how: u32, newText: u32, newBytes: u32): void {
  if (!(load<u32>(rule + RULE_FLAGS) & RULE_AUTO)) return; // Bounds: compiled by the host
  if (how != HOW_SUFFIX) {
    leave(LEFT_REMAP, newText, newBytes, text, textBytes);
    return;
  }
  const from = load<u32>(rule + RULE_FROM);
  leave(LEFT_SUFFIX, load<u32>(rule + RULE_TO), load<u32>(rule + RULE_TO_BYTES), from, load<u32>(rule + RULE_FROM_BYTES));
}

/** Writes the text as a name to the scratch. False: it is none, and the slow face says what it is. */
function isName(): bool {
  return textToName(text, textBytes, area + REWRITE_SCRATCH) != 0;
}

function leave(kind: u32, a: u32, aBytes: u32, b: u32, bBytes: u32): void {
  const at = leftAt(leftCount++); // Bounds: applyRules() checked that two fit
  store<u32>(at, kind);
  store<u32>(at + 4, a);
  store<u32>(at + 8, aBytes);
  store<u32>(at + 12, b);
  store<u32>(at + 16, bBytes);
}

@inline
function leftAt(index: u32): u32 {
  return area + REWRITE_SCRATCH + REWRITE_LEFT + index * LEFT_STRIDE;
}

/** The TTL as the rules leave it, last rule first. */
export function rewrittenTtl(ttl: u32): u32 {
  let seconds = ttl;
  for (let i = leftCount; i > 0; i--) {
    const rule = leftAt(i - 1);
    if (load<u32>(rule) != LEFT_TTL) continue; // Bounds: i <= leftCount
    const least = load<u32>(rule + 4);
    const most = load<u32>(rule + 12);
    if (seconds < least) seconds = least;
    else if (seconds > most) seconds = most;
  }
  return seconds;
}

export function clampsTtl(): bool {
  for (let i: u32 = 0; i < leftCount; i++) if (load<u32>(leftAt(i)) == LEFT_TTL) return true; // Bounds: i < leftCount
  return false;
}

/** The rcode as the rules leave it: they are applied once for each of `records`, once without any. */
export function rewrittenRcode(rcode: u32, records: u32): u32 {
  let code = rcode;
  const rounds: u32 = records ? records : 1;
  for (let round: u32 = 0; round < rounds; round++) {
    const before = code;
    for (let i = leftCount; i > 0; i--) {
      const rule = leftAt(i - 1);
      // Bounds: i <= leftCount
      if (load<u32>(rule) == LEFT_RCODE && load<u32>(rule + 4) == code) code = load<u32>(rule + 12);
    }
    if (code == before) break;
  }
  return code;
}

/**
 * The name at `at`, uncompressed with `bytes` octets, as the rules leave it, last rule first: written to `to`, which has
 * 264 octets of room. Returns its length. A result that is too long leaves the name as it is; one that is no name leaves
 * the root, see brokenNames.
 */
export function rewrittenName(at: u32, bytes: u32, to: u32): u32 {
  const start = textsEnd;
  if (start + 2 * TEXT_BYTES_MAX > area + REWRITE_SCRATCH + REWRITE_TEXTS + REWRITE_TEXTS_BYTES) return keepName(at, bytes, to);
  text = start;
  textBytes = nameToText(at, text);
  let isReplaced = false;
  for (let i = leftCount; i > 0; i--) {
    if (turnBack(leftAt(i - 1), start)) isReplaced = true;
  }
  if (!isReplaced) return keepName(at, bytes, to);
  const length = textToName(text, textBytes, to);
  if (length) return length;
  const counted = brokenTextBytes(text, textBytes);
  if (!counted) return keepName(at, bytes, to);
  brokenNames++;
  brokenBytes += counted - 1;
  store<u8>(to, 0);
  return 1;
}

/** Names of the reply that rules have made into texts that are none: CoreDNS cannot pack it. */
export let brokenNames: u32 = 0;
/** Octets that CoreDNS counts for them, beyond those of the root. */
export let brokenBytes: u32 = 0;

export function forgetBrokenNames(): void {
  brokenNames = 0;
  brokenBytes = 0;
}

function keepName(at: u32, bytes: u32, to: u32): u32 {
  memory.copy(to, at, bytes); // Bounds: a name has at most 255 octets
  return bytes;
}

/** Applies one rule to the text in its place. */
function turnBack(rule: u32, start: u32): bool {
  const kind = load<u32>(rule); // Bounds: one of the list
  if (kind > LEFT_SUFFIX) return false;
  const a = load<u32>(rule + 4);
  const aBytes = load<u32>(rule + 8);
  const bBytes = load<u32>(rule + 16);
  if (aBytes > textBytes) return false;
  const cut = textBytes - aBytes;
  if (!sameOctets(text + cut, a, aBytes)) return false;
  // Bounds: cut > 0
  if (kind == LEFT_REMAP && cut && <u32>load<u8>(text + cut - 1) != 0x2e) return false;
  if (cut + bBytes > 2 * TEXT_BYTES_MAX) return false;
  memory.copy(start + cut, load<u32>(rule + 12), bBytes);
  textBytes = cut + bBytes;
  return true;
}
