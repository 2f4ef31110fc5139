// CoreDNS plugin bind: the addresses that the block listens on. Configuration only.

import type { Directive } from '../../plugin/contract.ts';
import { boundAddresses } from './addresses.ts';
import { type BindConfig, parseBind } from './parse.ts';

export const bind: Directive<BindConfig> = {
  name: 'bind',
  parse: parseBind,
  settings: (config) => ({ addresses: boundAddresses(config) }),
};
