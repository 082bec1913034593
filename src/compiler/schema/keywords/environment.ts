/** Where a job deploys to. */
import { z } from 'zod';
import { TIERS } from '../../../plan/model/plan.ts';
import { name, refused } from './common.ts';

/** As in GitLab: letters, digits, spaces, - _ / . and variables; no slash at either end. */
const environmentName = name
  .max(255, 'must not be longer than 255 characters')
  .regex(/^[A-Za-z0-9_${}. /-]+$/, 'can contain only letters, digits, spaces, -, _, /, . and variables')
  .refine((text) => !text.startsWith('/') && !text.endsWith('/'), 'must not begin or end with a slash');

export const environment = z.union([
  environmentName.transform((value) => ({
    name: value,
    action: 'start' as const,
    url: undefined,
    on_stop: undefined,
    auto_stop_in: undefined,
    deployment_tier: undefined,
  })),
  z.strictObject({
    name: environmentName,
    url: name.max(255, 'must not be longer than 255 characters').optional(),
    action: z.enum(['start', 'prepare', 'stop', 'verify', 'access']).default('start'),
    on_stop: name.optional(),
    /** A duration after expansion, or `never`. */
    auto_stop_in: name.optional(),
    deployment_tier: z.enum(TIERS).optional(),
    kubernetes: refused('davit deploys to swarms and connects to no cluster'),
  }),
]);
