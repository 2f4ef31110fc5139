// Faults on demand, for the end-to-end suites only (WASMDNS_TEST_HOOKS=1): a query for `crash.wasmdns.` kills the shard
// that receives it, one for `hang.wasmdns.` makes it stand still, one for `throw.wasmdns.` is a plugin that throws.

import type { ExchangeHandle, Exchanges } from '../plugin/contract.ts';

const NAME_AT = 12;
const CRASH = '\x05crash\x07wasmdns\0';
const THROW = '\x05throw\x07wasmdns\0';
const HANG = '\x04hang\x07wasmdns\0';

export function obeyTestHooks(
  exchanges: Pick<Exchanges, 'octets' | 'offset'>,
  handle: ExchangeHandle,
  onThrow: (error: Error) => void,
): void {
  const at = exchanges.offset(handle) + NAME_AT;
  const startsWith = (name: string) =>
    Buffer.from(exchanges.octets.slice(at, at + name.length)).equals(Buffer.from(name));
  if (startsWith(CRASH)) {
    setImmediate(() => {
      throw new Error('crash.wasmdns. was asked for');
    });
  }
  if (startsWith(THROW)) onThrow(new Error('throw.wasmdns. was asked for'));
  if (startsWith(HANG)) for (;;);
}
