const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes for people, in decimal units, as package managers write them: `999 B`, `1.5 kB`, `64 MB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit] ?? ''}`;
}
