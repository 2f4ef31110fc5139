// Fingerprint of a configuration: what makes `reload` act and what coredns_reload_version_info shows.

import { createHash } from 'node:crypto';
import type { ParsedBlock } from './parser.ts';
import type { Token } from './token.ts';

/**
 * SHA-512 (hex) over the words with their lines: comments and white space count only where they move words to other
 * lines. Computed over the same JSON as CoreDNS computes it, so both show the same value for the same file.
 */
export function hashOf(blocks: readonly ParsedBlock[]): string {
  return createHash('sha512').update(configurationJson(blocks)).digest('hex');
}

/** No block at all is Go's nil slice. */
function configurationJson(blocks: readonly ParsedBlock[]): string {
  return blocks.length === 0 ? 'null' : `[${blocks.map(blockJson).join(',')}]`;
}

function blockJson(block: ParsedBlock): string {
  const words = new Map<string, string[]>();
  for (const directive of block.directives) {
    const known = words.get(directive.name) ?? [];
    words.set(directive.name, known);
    // The directive's own word counts as written, the others with environment variables replaced.
    directive.tokens.forEach((token, i) => {
      known.push(tokenJson(token, i === 0 ? token.raw : token.text));
    });
  }
  const sorted = [...words].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const tokens = sorted.map(([name, list]) => `${textJson(name)}:[${list.join(',')}]`);
  return `{"Keys":[${block.keys.map((key) => textJson(key.text)).join(',')}],"Tokens":{${tokens.join(',')}}}`;
}

function tokenJson(token: Token, text: string): string {
  return `{"File":${textJson(token.isImported ? token.file : '')},"Line":${token.line},"Text":${textJson(text)}}`;
}

/** Go escapes a few characters more than JSON asks for. */
function textJson(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
