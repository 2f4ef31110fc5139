// All case files, in groups that can share one server.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lowerCase } from '../e2e/support/name.ts';
import { corefileTemplate } from '../e2e/support/server.ts';
import { type Case, CaseError, type CaseFile, readCaseFile } from './case-file.ts';

export interface CaseGroup {
  readonly corefile: string;
  readonly objects: string | undefined;
  readonly files: readonly CaseFile[];
}

/** Reads `*.md` beside this file; throws a CaseError on the first mistake in any of them. */
export function readCaseGroups(directory = import.meta.dirname): CaseGroup[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.md') && name !== 'README.md');
  const groups = new Map<string, { corefile: string; objects: string | undefined; files: CaseFile[] }>();
  for (const name of names.sort()) {
    const file = readCaseFile(join(directory, name));
    const key = `${file.corefile} ${file.objects}`;
    const group = groups.get(key) ?? { corefile: file.corefile, objects: file.objects, files: [] };
    group.files.push(file);
    groups.set(key, group);
  }
  const all = [...groups.values()];
  // A server without forward keeps nothing that another case could see.
  for (const group of all) if (corefileTemplate(group.corefile).includes('forward')) checkNames(group);
  return all;
}

/** The files of objects that the groups name, each once. */
export function objectFiles(): string[] {
  const names = readCaseGroups().map(({ objects }) => objects);
  return [...new Set(names.filter((name) => name !== undefined))];
}

export function casesOf(group: CaseGroup): Case[] {
  return group.files.flatMap((file) => file.cases);
}

/** Cases run side by side on one server: a name that a cache may hold must belong to one case alone. */
function checkNames(group: CaseGroup): void {
  const owners = new Map<string, Case>();
  for (const subject of casesOf(group)) {
    for (const step of subject.steps) {
      if (step.kind !== 'ask') continue;
      for (const name of step.names.map(lowerCase)) {
        const owner = owners.get(name) ?? subject;
        if (owner !== subject && !name.endsWith('cluster.local.')) {
          throw new CaseError(`${step.place}: ${name} is asked by ${owner.place} too`);
        }
        owners.set(name, owner);
      }
    }
  }
}
