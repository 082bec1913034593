/** `release`: created at the forge after the script succeeded. */
import { z } from 'zod';
import { composable, name } from './common.ts';

const link = z.strictObject({
  name,
  url: name,
  filepath: name.optional(),
  link_type: z.enum(['runbook', 'package', 'image', 'other']).optional(),
});
const moment = z
  .string()
  .refine(
    (text) => text.includes('$') || !Number.isNaN(Date.parse(text)),
    'must be a date and time in ISO 8601',
  );

export const release = z.strictObject({
  tag_name: name,
  tag_message: z.string().optional(),
  name: name.optional(),
  description: name,
  ref: name.optional(),
  milestones: z.union([name.transform((one) => [one]), z.array(name)]).optional(),
  released_at: moment.optional(),
  assets: z.strictObject({ links: composable([link]) }).optional(),
});
export type WrittenRelease = z.output<typeof release>;
