/** The table of `npm run bench:cluster`: a row for each figure, a column for each server, and their ratio. */
import type { Machine } from '../machine.ts';
import { note } from '../stage.ts';
import { ratio } from '../statistics.ts';
import { formatNumber, formatRatio, renderTable } from '../table.ts';

interface Row {
  readonly title: string;
  readonly what: string;
  readonly unit: string;
  readonly values: Map<string, number>;
}

export class Report {
  readonly #peers: readonly string[];
  readonly #rows: Row[] = [];
  readonly #remarks: string[] = [];

  constructor(peers: readonly string[]) {
    this.#peers = peers;
  }

  add(title: string, what: string, unit: string, peer: string, value: number): void {
    note(`${title}, ${peer}: ${what} ${formatNumber(value)} ${unit}`);
    const known = this.#rows.find((each) => each.title === title && each.what === what);
    const row = known ?? { title, what, unit, values: new Map() };
    if (known === undefined) this.#rows.push(row);
    row.values.set(peer, value);
  }

  remark(text: string): void {
    note(text);
    this.#remarks.push(text);
  }

  markdown({ date, processor, cores, kernel, node, commit }: Machine): string {
    const heads = ['cluster', 'figure', ...this.#peers, 'wasmdns / coredns'];
    const rows = this.#rows.map(({ title, what, unit, values }) => {
      const cells = this.#peers.map((peer) => `${formatNumber(values.get(peer) ?? Number.NaN)} ${unit}`.trim());
      return [title, what, ...cells, formatRatio(ratio(values.get('wasmdns'), values.get('coredns')))];
    });
    const machine = `${date}, ${processor}, ${cores} cores, Linux ${kernel}, Node ${node}, commit ${commit}`;
    const remarks = this.#remarks.map((text) => `- ${text}\n`).join('');
    return `${machine}\n\n${renderTable(heads, rows)}\n${remarks}`;
  }
}
