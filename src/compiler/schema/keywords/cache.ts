import { z } from 'zod';
import { composable, name } from './common.ts';

/** GitLab refuses these in the file; an expanded key is hashed, so it cannot lead out of the cache. */
const keyText = z
  .string()
  .refine((text) => !/\/|%2f/i.test(text), 'must not contain a "/"')
  .refine((text) => !/^(\.|%2e)+$/i.test(text), 'must not consist only of dots');

const keyFiles = z
  .array(name)
  .min(1, 'must name a file')
  .max(2, 'must not name more than two files or patterns');

const keyMap = z
  .strictObject({
    files: keyFiles.optional(),
    files_commits: keyFiles.optional(),
    prefix: keyText.optional(),
  })
  .superRefine((value, context) => {
    if (value.files === undefined && value.files_commits === undefined)
      context.addIssue({ code: 'custom', message: 'needs "files" or "files_commits"' });
    if (value.files !== undefined && value.files_commits !== undefined)
      context.addIssue({ code: 'custom', message: 'has both "files" and "files_commits": keep one' });
  });

export const POLICIES = ['pull-push', 'pull', 'push'] as const;
const policy = z
  .string()
  .refine(
    (text) => text.includes('$') || POLICIES.some((one) => one === text),
    'must be "pull-push", "pull", "push" or a variable',
  );

const item = z.strictObject({
  key: z.union([keyText, keyMap]).optional(),
  paths: z.array(name).optional(),
  untracked: z.boolean().optional(),
  unprotect: z.boolean().optional(),
  policy: policy.optional(),
  when: z.enum(['on_success', 'on_failure', 'always']).optional(),
  fallback_keys: z
    .array(keyText.min(1, 'must not be empty'))
    .max(5, 'must not have more than five entries')
    .optional(),
});
export type WrittenCache = z.output<typeof item>;

/** One cache, or up to four; the result is a list. As in GitLab, a list in the list counts as one. */
export const cache = z.union([
  item.transform((one) => [one]),
  composable([item], (list) => list.max(4, 'must not have more than four caches')),
]);
