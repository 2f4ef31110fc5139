/** Markdown tables that also read well on a terminal: first column left, the others right. */

export function renderTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  for (const row of rows) {
    if (row.length !== heads.length) throw new Error(`a row of ${row.length} cells in a table of ${heads.length}`);
  }
  const widths = heads.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const isText = heads.map((_, column) => column === 0 || column === 1);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, widths[column]!, isText[column]!)).join(' | ')} |\n`;
  const rule = widths.map((width, column) => (isText[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return line(heads) + line(rule) + rows.map(line).join('');
}

function pad(cell: string, width: number, isText: boolean): string {
  return isText ? cell.padEnd(width) : cell.padStart(width);
}

const EMPTY = '-';

/** 13,700 -> `13.7k`; nothing measured -> `-`. */
export function formatRate(value: number): string {
  if (!Number.isFinite(value)) return EMPTY;
  if (value >= 100_000) return `${Math.round(value / 1000)}k`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)}k` : value.toFixed(0);
}

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return EMPTY;
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function formatRatio(value: number): string {
  return Number.isFinite(value) ? `${formatNumber(value)}x` : EMPTY;
}

export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) return EMPTY;
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;
}
