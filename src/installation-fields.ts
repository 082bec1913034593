/** Values that the installation file has in several places. */
import { z } from 'zod';
import { ARCHES, isSlug } from './plan/model/ids.ts';
import { parseDuration } from './plan/model/duration.ts';
import type { SecretRef } from './plan/model/spec.ts';

export const anyDuration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms === undefined)
    context.addIssue({
      code: 'custom',
      message: `must be a duration like 30s, 5 min or 7 days, not "${value}"`,
    });
  return ms ?? 0;
});
export const duration = (fallback: string) => anyDuration.prefault(fallback);
export const secretRef = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be a reference to a secret: env:NAME or file:PATH')
  .transform((text) => text as SecretRef);
export const slug = z.string().refine(isSlug, 'must be a project name in lower case: a-z 0-9 . _ -');
export const arch = z.enum(ARCHES);

/**
 * Names of commit statuses: `PREFIX/push`, `PREFIX/tag`, `PREFIX/mr`, `PREFIX/fork`. `legacy`: every status under this
 * name too, as before there was one for each kind.
 */
const statusName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,59}$/, 'must be a name of at most 60 characters');
export const statusContext = z
  .union([
    statusName.transform((prefix): { prefix?: string; legacy?: string } => ({ prefix })),
    z.strictObject({ prefix: statusName.optional(), legacy: statusName.optional() }),
  ])
  .optional();
