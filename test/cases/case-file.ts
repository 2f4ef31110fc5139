// Reads the case files: `# title`, `- key: value` lines, then one `## case` after the other, each with a paragraph
// that says why and one fenced block of steps. README.md describes the notation.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseSteps, type Step } from './step.ts';

export interface CaseFile {
  readonly name: string;
  readonly title: string;
  /** Name of a file in `corefiles/`, without ending. */
  readonly corefile: string;
  /** Name of a file in `objects/`, when the Corefile has a kubernetes block. */
  readonly objects: string | undefined;
  /** What the machine must have. */
  readonly needs: readonly 'local-address'[];
  readonly cases: readonly Case[];
}

export interface Case {
  /** `FILE.md:LINE` */
  readonly place: string;
  readonly title: string;
  readonly why: string;
  readonly steps: readonly Step[];
}

/** A mistake in a case file; the text begins with file and line. */
export class CaseError extends Error {}

interface Line {
  readonly number: number;
  readonly text: string;
}

export function readCaseFile(path: string): CaseFile {
  return parseCaseFile(basename(path), readFileSync(path, 'utf8'));
}

export function parseCaseFile(name: string, text: string): CaseFile {
  const lines = text.split('\n').map((line, at) => ({ number: at + 1, text: line.trimEnd() }));
  const starts = lines.flatMap((line, at) => (line.text.startsWith('## ') ? [at] : []));
  const head = parseHead(name, lines.slice(0, starts[0] ?? lines.length));
  const cases = starts.map((start, at) => parseCase(name, lines.slice(start, starts[at + 1]), head.defines));
  if (cases.length === 0) throw new CaseError(`${name}:1: no case in this file`);
  return { name, title: head.title, corefile: head.corefile, objects: head.objects, needs: head.needs, cases };
}

interface Head {
  title: string;
  corefile: string;
  objects: string | undefined;
  needs: 'local-address'[];
  defines: Map<string, string>;
}

function parseHead(name: string, lines: readonly Line[]): Head {
  const head: Head = { title: '', corefile: '', objects: undefined, needs: [], defines: new Map() };
  for (const { number, text } of lines) {
    const fail = (what: string) => new CaseError(`${name}:${number}: ${what}`);
    if (text.startsWith('# ')) head.title = text.slice(2);
    if (!text.startsWith('- ')) continue;
    const [, key, value] = /^- ([a-z]+):? +(.*)$/.exec(text) ?? [];
    if (key === 'corefile') head.corefile = value!;
    else if (key === 'objects') head.objects = value!;
    else if (key === 'needs' && value === 'local-address') head.needs.push(value);
    else if (key === 'define') {
      const [, word, replacement] = /^([A-Z][A-Z0-9]*) = (.+)$/.exec(value!) ?? [];
      if (word === undefined) throw fail('expected `- define WORD = text`');
      head.defines.set(word, expand(replacement!, head.defines));
    } else throw fail(`unknown line '${text}'`);
  }
  if (head.title === '') throw new CaseError(`${name}:1: no '# title'`);
  if (head.corefile === '') throw new CaseError(`${name}:1: no '- corefile: NAME'`);
  return head;
}

function parseCase(name: string, lines: readonly Line[], defines: ReadonlyMap<string, string>): Case {
  const place = `${name}:${lines[0]!.number}`;
  const fences = lines.flatMap((line, at) => (line.text.startsWith('```') ? [at] : []));
  if (fences.length !== 2)
    throw new CaseError(`${place}: expected one fenced block of steps, found ${fences.length / 2}`);
  const prose = [...lines.slice(1, fences[0]), ...lines.slice(fences[1]! + 1)].map((line) => line.text);
  const why = prose.join(' ').trim();
  if (why === '') throw new CaseError(`${place}: the case does not say why`);
  const block = lines.slice(fences[0]! + 1, fences[1]).map((line) => ({
    place: `${name}:${line.number}`,
    text: expand(line.text.trim(), defines),
  }));
  const steps = parseSteps(
    block.filter((line) => line.text !== ''),
    (where, what) => {
      throw new CaseError(`${where}: ${what}`);
    },
  );
  if (!steps.some((step) => step.kind === 'ask')) throw new CaseError(`${place}: the case asks nothing`);
  return { place, title: lines[0]!.text.slice(3), why, steps };
}

/** Replaces the defined words where they stand as `$WORD`. Words that only the runner knows are lower-case. */
function expand(text: string, defines: ReadonlyMap<string, string>): string {
  return text.replace(/\$([A-Z][A-Z0-9]*)/g, (whole, word: string) => defines.get(word) ?? whole);
}
