/** How long random tests look: FUZZ=20 makes twenty times as many runs as the ordinary ones. */
const TIMES = Number(process.env.FUZZ ?? '1');

export const runs = (count: number): number => Math.max(1, Math.round(count * (TIMES > 0 ? TIMES : 1)));
