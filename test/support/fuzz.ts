/** Number of runs of random tests: FUZZ=20 does twenty times as many as by default. */
const TIMES = Number(process.env.FUZZ ?? '1');

export const runs = (count: number): number => Math.max(1, Math.round(count * (TIMES > 0 ? TIMES : 1)));
