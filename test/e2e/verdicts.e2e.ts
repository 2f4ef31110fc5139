// The table of verdicts against the real CoreDNS: what it says is CoreDNS's and not ours.

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readVerdicts } from '../corefile/verdicts.ts';
import { Child, scratchDirectory, until } from './support/child.ts';
import { freePort } from './support/ports.ts';
import { toolPath } from './support/tools.ts';

describe('verdicts', { concurrency: 4 }, () => {
  for (const { text, accepts, refusal } of readVerdicts()) {
    test(JSON.stringify(text), async () => {
      const port = await freePort();
      const folder = mkdtempSync(join(scratchDirectory(), 'verdict-'));
      const path = join(folder, 'Corefile');
      writeFileSync(path, text.replaceAll('@PORT@', String(port)));
      const child = new Child(`coredns-${port}`, toolPath('coredns'), ['-conf', 'Corefile'], { cwd: folder });
      try {
        await until('an outcome', 20_000, () => child.hasExited || /^linux\//m.test(child.output()));
        const said = child
          .output()
          .replace(/^maxprocs: .*\n/, '')
          .replaceAll(folder, '@DIR@')
          .replaceAll(String(port), '@PORT@')
          .trim()
          .replace(/\s*\n\s*/g, ' ');
        // Without any server CoreDNS ends behind its banner
        const isAccepted = /^(?:.* )?CoreDNS-/.test(said) && (!child.hasExited || (await child.exited).code === 0);
        assert.equal(isAccepted, accepts, said);
        if (refusal !== '') assert.equal(said, refusal);
      } finally {
        child.kill('SIGKILL');
        await child.exited;
      }
    });
  }
});
