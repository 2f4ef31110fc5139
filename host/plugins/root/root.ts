// CoreDNS plugin root: where relative paths of the block's plugins begin. Configuration only.

import { statSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { UserError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Directive } from '../../plugin/contract.ts';
import { parseRoot, type RootConfig } from './parse.ts';

export const root: Directive<RootConfig> = {
  name: 'root',
  parse: parseRoot,
  settings: ({ path }, log) => {
    checkPath(path, log);
    return { root: path };
  },
};

/** A folder that is not there may appear later. */
function checkPath(path: string, log: Log): void {
  try {
    statSync(path);
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      log.warning(`Root path does not exist: ${path}`);
      return;
    }
    const reason = errno === undefined ? (error as Error).message : getSystemErrorMessage(errno);
    throw new UserError(`unable to access root path '${path}': stat ${path}: ${reason}`);
  }
}
