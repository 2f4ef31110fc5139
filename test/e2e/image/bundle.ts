// A container made by hand for runc, with exactly the rights that containerd gives: podman gives more (it fills the
// ambient set too), so it cannot show that the image binds port 53.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, scratchDirectory } from '../support/child.ts';
import { attempt, IMAGE, run } from './container.ts';

/** A root file system of the image that this test may change. */
export class Root {
  readonly #container: string;
  readonly path: string;

  private constructor(container: string, path: string) {
    this.#container = container;
    this.path = path;
  }

  static mount(): Root {
    const container = run('buildah', 'from', '--pull-never', IMAGE);
    return new Root(container, run('buildah', 'mount', container));
  }

  remove(): void {
    run('buildah', 'umount', this.#container);
    run('buildah', 'rm', this.#container);
  }
}

export interface BundleOptions {
  readonly root: Root;
  readonly args: readonly string[];
  /** What the pod adds to the empty set. */
  readonly capabilities: readonly string[];
  /** A folder that the container sees at its own path. */
  readonly folder: string;
}

export class Bundle {
  readonly #name: string;
  readonly child: Child;

  private constructor(name: string, child: Child) {
    this.#name = name;
    this.child = child;
  }

  static start(name: string, options: BundleOptions): Bundle {
    const folder = join(scratchDirectory(), name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(specOf(options)));
    return new Bundle(name, new Child(name, 'runc', ['run', '--bundle', folder, name]));
  }

  async stop(): Promise<void> {
    spawnSync('runc', ['kill', this.#name, 'KILL']);
    await this.child.exited;
    attempt('runc', 'delete', '--force', this.#name);
  }
}

/** The OCI runtime's configuration, without a network namespace of its own: the test asks from this one. */
function specOf({ root, args, capabilities, folder }: BundleOptions): unknown {
  return {
    ociVersion: '1.0.2',
    root: { path: root.path, readonly: true },
    process: {
      terminal: false,
      cwd: '/',
      args,
      env: ['PATH=/'],
      user: { uid: 65532, gid: 65532 },
      noNewPrivileges: true,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: folder, type: 'bind', source: folder, options: ['rbind', 'ro'] },
    ],
    linux: { namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  };
}
