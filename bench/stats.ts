/** Median and spread of a few measurements. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** `1.08 (0.97 to 1.22)` */
export const ratioText = (value: Spread): string =>
  `${value.median.toFixed(2)} (${value.min.toFixed(2)} to ${value.max.toFixed(2)})`;
/** `2.31 s (2.25 to 2.50)`; from ms. */
export const secondsText = (value: Spread): string =>
  `${(value.median / 1_000).toFixed(2)} s (${(value.min / 1_000).toFixed(2)} to ${(value.max / 1_000).toFixed(2)})`;
/** `14 ms (12 to 21)` */
export const msText = (value: Spread): string =>
  `${value.median.toFixed(1)} ms (${value.min.toFixed(1)} to ${value.max.toFixed(1)})`;
