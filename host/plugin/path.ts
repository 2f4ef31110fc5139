// Files of plugins.

import { isAbsolute, join } from 'node:path';
import type { ServerBlock } from './contract.ts';

/** A path from the Corefile: relative ones begin at the block's root (plugin root). */
export function blockPath(block: Pick<ServerBlock, 'root'>, path: string): string {
  return isAbsolute(path) || block.root === '' ? path : join(block.root, path);
}
