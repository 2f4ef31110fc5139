// CoreDNS plugin debug: debug lines, and no recovery from plugins that throw. Configuration only.

import type { Directive } from '../../plugin/contract.ts';
import { type DebugConfig, parseDebug } from './parse.ts';

export const debug: Directive<DebugConfig> = {
  name: 'debug',
  parse: parseDebug,
  settings: () => ({ isDebugging: true }),
};
