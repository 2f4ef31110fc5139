// CoreDNS's plugin hosts, written down as plainly as can be: no index, no merging, each question walks all lines.

export interface ModelRules {
  readonly zones: readonly string[];
  readonly hasReverse: boolean;
  readonly fallthrough: readonly string[];
  readonly fallthroughUnsupported: boolean;
}

/** `fall`: the next plugin; otherwise the rdata texts in order. */
export type ModelAnswer = 'fall' | 'servfail' | readonly string[];

interface Entry {
  readonly address: string;
  readonly family: 4 | 6;
  readonly name: string;
}

export class HostsModel {
  readonly #sources: readonly (readonly Entry[])[];
  readonly #rules: ModelRules;

  constructor(file: string, inline: string, rules: ModelRules) {
    this.#rules = rules;
    this.#sources = [file, inline].map((text) => text.split('\n').flatMap((line) => this.#entries(line)));
  }

  /** @param name lower-case, fully qualified @param address what a reverse name stands for */
  answer(name: string, type: 'A' | 'AAAA' | 'PTR' | 'TXT', address: string | undefined): ModelAnswer {
    const { zones, fallthrough, fallthroughUnsupported } = this.#rules;
    if (type === 'PTR') {
      const names = this.#sources.flatMap((entries) =>
        entries.filter((entry) => entry.address === address && !entry.name.startsWith('*.')).map((entry) => entry.name),
      );
      return this.#rules.hasReverse && names.length > 0 ? names : 'fall';
    }
    if (!zones.some((zone) => isBelow(name, zone))) return 'fall';
    const falls = fallthrough.some((zone) => isBelow(name, zone));
    if (type === 'TXT' && fallthroughUnsupported && falls) return 'fall';
    const found = { A: this.#addresses(name, 4), AAAA: this.#addresses(name, 6), TXT: [] };
    if (found.A.length + found.AAAA.length > 0) return found[type];
    return falls ? 'fall' : 'servfail';
  }

  #addresses(name: string, family: 4 | 6): string[] {
    return this.#sources.flatMap((entries) => {
      const ofFamily = entries.filter((entry) => entry.family === family);
      const exact = ofFamily.filter((entry) => entry.name === name && !entry.name.startsWith('*.'));
      const wildcard = `*.${name.split('.').slice(1).join('.')}`;
      const wild = ofFamily.filter((entry) => entry.name === wildcard && wildcard !== '*.');
      return (exact.length > 0 ? exact : wild).map((entry) => entry.address);
    });
  }

  #entries(line: string): Entry[] {
    const [address = '', ...names] = line
      .replace(/#.*/, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    const plain = address.replace(/%.*/, '');
    if (!/^[0-9a-f.:]+$/.test(plain)) return [];
    return names.flatMap((word) => {
      const name = `${word.replace(/\.$/, '')}.`.toLowerCase();
      const family = plain.includes(':') ? 6 : 4;
      return this.#rules.zones.some((zone) => isBelow(name, zone)) ? [{ address: plain, family, name }] : [];
    });
  }
}

function isBelow(name: string, zone: string): boolean {
  return zone === '.' || name === zone || name.endsWith(`.${zone}`);
}
