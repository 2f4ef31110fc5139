// What a misspelt word may have meant.

/** `, did you mean "WORD"?` with the candidate closest to the text, or nothing where none is close. */
export function suggestion(text: string, candidates: readonly string[]): string {
  const word = text.toLowerCase();
  let best: string | undefined;
  let bestDistance = distanceMax(word) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate.toLowerCase(), bestDistance);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best === undefined ? '' : `, did you mean "${best}"?`;
}

/** In a short word one wrong letter is much. */
function distanceMax(word: string): number {
  return word.length <= 3 ? 1 : 2;
}

/** Optimal string alignment: insertions, deletions, substitutions, swapped neighbours; `limit` when it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let k = 1; k <= b.length; k++) {
      const isSame = a[i - 1] === b[k - 1];
      const steps = [row[k - 1]! + 1, above[k]! + 1, above[k - 1]! + (isSame ? 0 : 1)];
      if (i > 1 && k > 1 && a[i - 1] === b[k - 2] && a[i - 2] === b[k - 1]) steps.push(before[k - 2]! + 1);
      row.push(Math.min(...steps));
    }
    before = above;
    above = row;
  }
  return Math.min(above[b.length]!, limit);
}
