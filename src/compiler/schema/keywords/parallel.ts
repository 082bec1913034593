/** One job becomes several. */
import { z } from 'zod';

/** Limit of jobs that one job may become. */
export const MAX_PARALLEL = 200;

const scalar = z.union([z.string(), z.number().int('must be a string or a whole number').transform(String)]);
const values = z.union([scalar.transform((value) => [value]), z.array(scalar).min(1, 'must not be empty')]);
const variableName = z
  .string()
  .regex(/^[a-zA-Z0-9_]+$/, 'has a name that is not valid in a shell: use letters, digits and _');

export type MatrixEntry = Record<string, string[]>;
/** Number of jobs of a matrix. */
export const matrixSize = (entries: readonly MatrixEntry[]): number =>
  entries.reduce(
    (sum, entry) => sum + Object.values(entry).reduce((product, list) => product * list.length, 1),
    0,
  );

export const matrix = z
  .array(z.record(variableName, values).refine((entry) => Object.keys(entry).length > 0, 'must not be empty'))
  .min(1, 'must not be empty')
  .refine((entries) => matrixSize(entries) <= MAX_PARALLEL, `must not create more than ${MAX_PARALLEL} jobs`);

const count = z
  .number()
  .int('must be a whole number')
  .min(1, `must be 1 to ${MAX_PARALLEL}`)
  .max(MAX_PARALLEL, `must be 1 to ${MAX_PARALLEL}`);
export const parallel = z.union([count, z.strictObject({ matrix })]);
/** In `needs`: which of the other job's parallel jobs. */
export const neededParallel = z.strictObject({ matrix });
