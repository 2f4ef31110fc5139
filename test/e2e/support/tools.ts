// Where the tools are that `test/e2e/install.sh` put in place, and where this checkout is.

import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const repository = resolve(import.meta.dirname, '../../..');

const toolDirectory = join(process.env['WASMDNS_TOOLS'] ?? join(homedir(), '.cache/wasmdns-tools'), 'bin');

/** Path of a tool; throws when it is not installed, because a suite that cannot run must fail. */
export function toolPath(name: 'coredns' | 'etcd' | 'helm' | 'kube-apiserver'): string {
  const path = join(toolDirectory, name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`${path} is missing: run test/e2e/install.sh`);
  }
  return path;
}
