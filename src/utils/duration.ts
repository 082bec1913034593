/** Durations for people: `120 ms`, `3.4 s`, `4 min 20 s`, `2 h 5 min`, `3 days 4 h`. Pure. */
export function durationText(ms: number): string {
  // Clocks of machines differ: an end may be before its start.
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${Number((ms / 1_000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return twoUnits(seconds, 60, ['min', 's']);
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return twoUnits(minutes, 60, ['h', 'min']);
  return twoUnits(Math.round(minutes / 60), 24, ['days', 'h']);
}

const twoUnits = (count: number, size: number, [big, small]: readonly [string, string]): string =>
  count % size === 0
    ? `${count / size} ${big}`
    : `${Math.floor(count / size)} ${big} ${count % size} ${small}`;
