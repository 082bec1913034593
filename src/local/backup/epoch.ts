/**
 * What keeps a restored installation from repeating numbers. Pipelines that ran after the backup are unknown to it, but
 * targets, registries, forges and people know their numbers: a deployment with a number that a target has seen would be
 * taken for one that is there already, or refused as older. So each restore begins a new epoch, in which all counters
 * go on behind every number that can have been given.
 *
 * A pipeline that was open when the backup was made keeps its number, and is refused by a target that has something newer.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { COUNTERS } from '../../plan/model/records.ts';
import { readJson, replaceFile } from '../process/files.ts';

const HOUR_MS = 3_600_000;
/** At most so many pipelines of one project are believed to begin in an hour. */
const PIPELINES_AN_HOUR = 1_000;
const JOBS_OF_A_PIPELINE = 100;
const PRIVATE_FILE = 0o600;
const EPOCH_FILE = 'epoch.json';

const epochSchema = z.object({ epoch: z.number().int().nonnegative() });
const headSchema = z.looseObject({ next: z.number().int().positive() });

/** Restores of this installation so far. */
export async function epochOf(home: string): Promise<number> {
  const parsed = epochSchema.safeParse(await readJson(join(home, EPOCH_FILE)));
  return parsed.success ? parsed.data.epoch : 0;
}

/** Others count within one pipeline. Pure. */
const isCounted = (name: string): boolean =>
  name === COUNTERS.pipelines || name === COUNTERS.jobs || name.startsWith(COUNTERS.iid(''));

/** The first number of the new epoch: a round one. Pure. */
export function firstNumber(request: { next: number; ageMs: number; step: number; after?: number }): number {
  const hours = Math.max(1, Math.ceil(request.ageMs / HOUR_MS));
  const least = Math.max(request.next - 1 + hours * request.step, request.after ?? 0);
  return Math.ceil(least / request.step) * request.step + 1;
}

export interface EpochRequest {
  /** That of the backup. */
  epoch: number;
  /** Epoch ms. */
  backupAt: number;
  now: number;
  /** The highest number of a pipeline that anybody knows, where it is known. */
  after?: number;
}

/** Raises all counters of an installation whose server does not run. Returns the new epoch and the counters by name. */
export async function beginEpoch(
  home: string,
  request: EpochRequest,
): Promise<{ epoch: number; counters: Record<string, number> }> {
  const numbers = join(home, 'data', 'numbers');
  const ageMs = request.now - request.backupAt;
  const counters: Record<string, number> = {};
  await mkdir(numbers, { recursive: true });
  for (const name of (await readdir(numbers)).filter(isCounted)) {
    const path = join(numbers, name, 'head');
    const head = headSchema.safeParse(await readJson(path));
    if (!head.success) continue;
    const step = PIPELINES_AN_HOUR * (name === COUNTERS.jobs ? JOBS_OF_A_PIPELINE : 1);
    const after = name.startsWith(COUNTERS.iid('')) ? request.after : undefined;
    const next = firstNumber({ next: head.data.next, ageMs, step, ...(after !== undefined && { after }) });
    // `last` stays: a claim of the backup's time that is repeated gets its own number again.
    await replaceFile(path, JSON.stringify({ ...head.data, next }), PRIVATE_FILE);
    counters[name] = next;
  }
  const epoch = request.epoch + 1;
  await replaceFile(join(home, EPOCH_FILE), `${JSON.stringify({ epoch })}\n`, PRIVATE_FILE);
  return { epoch, counters };
}
