/** The nearest valid spelling, for hints. */

/** Optimal string alignment distance: insert, delete, replace, swap of neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The word that was probably meant; undefined when none is within `maxDistance` edits (by default a third of
 * the word).
 */
export function nearest(word: string, words: Iterable<string>, maxDistance?: number): string | undefined {
  if (word.length > 64) return undefined;
  const lower = word.toLowerCase();
  const limit = maxDistance ?? Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of words) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const far = distance(lower, candidate.toLowerCase());
    if (far < bestDistance) [best, bestDistance] = [candidate, far];
  }
  return best;
}

/** `Did you mean "x"?`, or undefined. */
export function didYouMean(word: string, words: Iterable<string>): string | undefined {
  const found = nearest(word, words);
  return found === undefined ? undefined : `Did you mean "${found}"?`;
}
