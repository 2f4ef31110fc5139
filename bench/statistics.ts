/** The arithmetic of the tables. */

/** The middle value, the mean of the two middle ones for an even count; NaN of nothing. Order does not matter. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** (largest - smallest) / median: 0.1 says that the runs lie within 10 % of each other; 0 for one value. */
export function spread(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** NaN, not Infinity, where there is nothing to compare with. */
export function ratio(value: number | undefined, reference: number | undefined): number {
  if (value === undefined || reference === undefined || reference === 0) return Number.NaN;
  return value / reference;
}
