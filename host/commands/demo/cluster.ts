// A cluster out of a file: the embedded API, filled from YAML and kept equal to it while somebody edits it.

import { readFileSync, statSync } from 'node:fs';
import { UserError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { listenApi } from '../api/api.ts';
import { MANIFEST_BYTES_MAX, ManifestError, parseManifest } from './manifest.ts';
import { ObjectMemory } from './objects.ts';

export interface DemoClusterOptions {
  /** YAML documents, see manifest.ts. */
  readonly file: string;
  readonly log: Log;
  /** How often the file is looked at. */
  readonly pollMs?: number;
  readonly bookmarkMs?: number;
}

export interface DemoCluster {
  /** For `endpoint URL` of plugin kubernetes. */
  readonly url: string;
  close(): Promise<void>;
}

const POLL_MS = 200;
const BOOKMARK_MS = 20_000;

/** @throws UserError if the file cannot be read or is no cluster: later mistakes only warn. */
export async function startDemoCluster(options: DemoClusterOptions): Promise<DemoCluster> {
  const memory = new ObjectMemory();
  const file = new WatchedFile(options.file);
  load(memory, file, options, (text) => {
    throw new UserError(text);
  });
  const api = await listenApi(memory, {
    address: '127.0.0.1',
    port: 0,
    bookmarkMs: options.bookmarkMs ?? BOOKMARK_MS,
  });
  const timer = setInterval(() => {
    if (file.hasChanged()) load(memory, file, options, (text) => options.log.warning(text));
  }, options.pollMs ?? POLL_MS);
  return {
    url: api.url,
    close: () => {
      clearInterval(timer);
      return api.close();
    },
  };
}

/** The last good state stays when the file cannot be used. */
function load(
  memory: ObjectMemory,
  file: WatchedFile,
  { log }: DemoClusterOptions,
  fail: (text: string) => void,
): void {
  try {
    const [added, changed, removed] = memory.replace(parseManifest(file.read()));
    if (added + changed + removed > 0) {
      log.info(`${file.path}: ${added} objects added, ${changed} changed, ${removed} removed`);
    }
  } catch (error) {
    if (error instanceof ManifestError) fail(`${file.path}:${error.line}: ${error.message}`);
    else fail(`${file.path}: ${(error as Error).message}`);
  }
}

class WatchedFile {
  readonly path: string;
  #seen = '';

  constructor(path: string) {
    this.path = path;
  }

  /** Size, time or identity differ from those of the last call. */
  hasChanged(): boolean {
    const now = this.#signature();
    const isDifferent = now !== this.#seen;
    this.#seen = now;
    return isDifferent;
  }

  read(): string {
    this.#seen = this.#signature();
    const { size } = statSync(this.path);
    if (size > MANIFEST_BYTES_MAX) throw new Error(`larger than ${MANIFEST_BYTES_MAX} octets`);
    return readFileSync(this.path, 'utf8');
  }

  #signature(): string {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    return stat === undefined ? 'none' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
  }
}
