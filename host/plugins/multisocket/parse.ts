// multisocket [NUMBER]

import type { DirectiveReader } from '../../corefile/reader.ts';

export type MultisocketConfig = {
  /** 'auto' = one for each serving thread. */
  readonly sockets: number | 'auto';
};

const SOCKETS_MAX = 1024;

export function parseMultisocket(reader: DirectiveReader): MultisocketConfig {
  const [number] = reader.first((line) => reader.arguments(line, 0, 1));
  reader.endOfAll();
  if (number === undefined) return { sockets: 'auto' };
  const sockets = reader.maybeInteger(number);
  if (sockets === undefined || !Number.isSafeInteger(sockets)) {
    const reason = sockets === undefined ? 'invalid syntax' : 'value out of range';
    const text = JSON.stringify(number.text);
    throw reader.error(number, `invalid num sockets: strconv.Atoi: parsing ${text}: ${reason}`);
  }
  if (sockets < 1) throw reader.error(number, `num sockets can not be zero or negative: ${sockets}`);
  if (sockets > SOCKETS_MAX) {
    throw reader.error(number, `num sockets exceeds maximum (${SOCKETS_MAX}): ${sockets}`);
  }
  return { sockets };
}
