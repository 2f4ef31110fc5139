// CoreDNS plugin multisocket: how many sockets share an address. Here every serving thread has its own already.

import type { Directive } from '../../plugin/contract.ts';
import { type MultisocketConfig, parseMultisocket } from './parse.ts';

export const multisocket: Directive<MultisocketConfig> = {
  name: 'multisocket',
  parse: parseMultisocket,
  settings: ({ sockets }) => ({ sockets }),
};
