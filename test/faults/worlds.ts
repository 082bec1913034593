/**
 * A run spread over several davits in parallel, each a process with its own engine, Temporal and registry:
 * rows that mostly wait take no longer together than the longest of them. Each checks its own history; the
 * results are combined here.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Break } from './checker.ts';
import type { Line } from './report.ts';
import { ROWS } from './rows/index.ts';

/** Approximate seconds that a row waits in its literal length; the others take half a minute. */
const LITERAL_S: Readonly<Record<number, number>> = {
  2: 60,
  6: 360,
  7: 360,
  8: 330,
  10: 140,
  11: 150,
  13: 150,
  14: 1_240,
  19: 90,
  35: 80,
};
const SOME_S = 30;

/**
 * Rows for each world, the longest first to the world with the least work: deterministic. A row that begins with the
 * version before has a further world to itself.
 */
export function shares(rows: readonly number[], worlds: number): number[][] {
  const seconds = (row: number): number => LITERAL_S[row] ?? SOME_S;
  const found = Array.from({ length: worlds }, () => ({ rows: [] as number[], seconds: 0 }));
  const apart = [...new Set(ROWS.filter(({ before }) => before).map(({ row }) => row))];
  const longest = [...new Set(rows)]
    .filter((row) => !apart.includes(row))
    .toSorted((one, other) => seconds(other) - seconds(one) || one - other);
  for (const row of longest) {
    const least = found.toSorted((one, other) => one.seconds - other.seconds)[0];
    least?.rows.push(row);
    if (least) least.seconds += seconds(row);
  }
  const own = apart.filter((row) => rows.includes(row)).map((row) => [row]);
  return [...found.map((one) => one.rows), ...own].filter((list) => list.length > 0);
}

const answer = z.object({
  pipelines: z.number(),
  breaks: z.array(
    z.object({
      invariant: z.custom<Break['invariant']>((one) => /^I\d$/.test(String(one))),
      text: z.string(),
    }),
  ),
  failures: z.array(z.string()),
  rows: z.array(
    z.object({
      row: z.number(),
      fault: z.string(),
      injected: z.number(),
      failed: z.number(),
      recoveryMs: z.array(z.number()),
    }),
  ),
});
export interface Together {
  pipelines: number;
  breaks: Break[];
  failures: string[];
  lines: Line[];
}

/** `args`: arguments of every world in addition to its rows. A world without a result is a failure. */
export async function sideBySide(of: {
  rows: readonly number[];
  worlds: number;
  args: readonly string[];
  history?: string;
}): Promise<Together> {
  const all: Together = { pipelines: 0, breaks: [], failures: [], lines: [] };
  const each = shares(of.rows, of.worlds).map(async (rows, at) => {
    const args = [...of.args, '--json', ...rows.flatMap((row) => ['--row', String(row)])];
    if (of.history !== undefined) args.push('--history', `${of.history}.${at + 1}`);
    const world = spawn(process.execPath, [fileURLToPath(new URL('run.ts', import.meta.url)), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const end = (): void => void world.kill('SIGTERM');
    process.once('SIGINT', end).once('SIGTERM', end);
    const [said, [code]] = await Promise.all([text(world.stdout), once(world, 'exit')]);
    if (said === '')
      return void all.failures.push(`The davit of rows ${rows.join(', ')} ended with ${code}.`);
    const one = answer.parse(JSON.parse(said));
    all.pipelines += one.pipelines;
    all.breaks.push(...one.breaks);
    all.failures.push(...one.failures);
    for (const { row, fault, ...line } of one.rows) {
      const known = ROWS.find((other) => other.row === row && other.fault === fault);
      if (known) all.lines.push({ row: known, ...line });
    }
  });
  await Promise.all(each);
  return all;
}
