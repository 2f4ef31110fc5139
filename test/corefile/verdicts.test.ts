// Every Corefile of verdicts.txt is accepted or refused as CoreDNS does, with its words and at its line.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadCorefile } from '../../host/corefile/loader.ts';
import { CorefileError, UserError } from '../../host/errors.ts';
import { createLog } from '../../host/log.ts';
import { directives } from '../../host/plugins/order.ts';
import { parseBlocks } from '../../host/server/blocks.ts';
import { serverBlocks } from '../../host/server/zones.ts';
import { lineOf, readVerdicts, withoutPlace } from './verdicts.ts';

/** Undefined: accepted. */
function refusalOf(text: string): UserError | undefined {
  const source = { file: 'Corefile', read: () => text.replaceAll('@PORT@', '5300') };
  try {
    const loaded = loadCorefile(source, {
      knownDirectives: directives.map(({ name }) => name),
      defaultPort: 53,
      environment: {},
    });
    const blocks = parseBlocks({ loaded, address: '', log: createLog(() => {}) });
    serverBlocks(blocks.map(({ plan }) => plan));
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

describe('verdicts of CoreDNS', () => {
  for (const { text, accepts, refusal, difference } of readVerdicts()) {
    test(JSON.stringify(text.replace(/^\.:@PORT@ /, '')), () => {
      const refused = refusalOf(text);
      if (difference !== undefined) {
        assert.ok(refused?.message.includes(difference), `${refused?.message}`);
        return;
      }
      assert.equal(refused === undefined, accepts, refused?.message ?? 'accepted');
      if (refused === undefined) return;
      assert.ok(refused instanceof CorefileError && refused.line > 0, 'it names a place');
      if (refusal === '') return;
      const said = refused.message.replaceAll(process.cwd(), '@DIR@').replaceAll('5300', '@PORT@');
      assert.ok(withoutPlace(said).startsWith(withoutPlace(refusal)), `${said}\n${refusal}`);
      const line = lineOf(refusal);
      if (line !== undefined) assert.equal(String(refused.line), line);
      const plugin = /^plugin\/\w+: /.exec(refusal)?.[0] ?? '';
      // What CoreDNS fails at when it starts does not name the plugin
      const isStart = /^(?:parse |listen )/.test(refusal);
      assert.ok(said.startsWith(`${isStart ? 'plugin/health: ' : plugin}Corefile:`), said);
    });
  }
});
