import { z } from 'zod';
import { parseDuration } from '../../plan/duration.ts';
import { name, notYet, projectPath, stringOrList } from './common.ts';

/** `never` or a duration; `{}` is `never`. */
const expireIn = z.union([z.string(), z.number()]).transform((value, context) => {
  if (value === 'never') return { ms: undefined };
  const ms = parseDuration(String(value));
  if (ms === undefined)
    context.addIssue({
      code: 'custom',
      message: `must be "never" or a duration like 30s, 5 min or 7 days, not "${value}"`,
    });
  return { ms };
});

export const artifacts = z.strictObject({
  paths: z.array(projectPath).optional(),
  exclude: z.array(projectPath).optional(),
  expire_in: expireIn.optional(),
  name: name.optional(),
  when: z.enum(['on_success', 'on_failure', 'always']).optional(),
  untracked: z.boolean().optional(),
  reports: z
    .object({ dotenv: stringOrList.pipe(z.array(projectPath)).optional() })
    .catchall(notYet)
    .optional(),
  expose_as: notYet,
  access: notYet,
  public: notYet,
});
