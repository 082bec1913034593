/** `include`: which other files a file is made of. */
import { z } from 'zod';
import { name, notYet } from './common.ts';
import { existsHere } from './rules.ts';
import { checked } from './validate.ts';

const includeRule = z.strictObject({
  if: z.string().nullish(),
  exists: existsHere.optional(),
  changes: notYet,
  when: z.enum(['always', 'never']).optional(),
});
const includeMap = z
  .strictObject({
    local: name.optional(),
    rules: z.array(includeRule).optional(),
    // What each may be says the header of the included file.
    inputs: z.record(name, z.unknown()).nullish(),
    project: notYet,
    ref: notYet,
    file: notYet,
    remote: notYet,
    integrity: notYet,
    template: notYet,
    component: notYet,
  })
  .superRefine((value, context) => {
    const elsewhere = [value.project, value.remote, value.template, value.component];
    if (value.local === undefined && elsewhere.every((one) => one === undefined))
      context.addIssue({ code: 'custom', message: 'needs "local"' });
  });
const short = name
  .refine((text) => !/^https?:\/\//.test(text), {
    message: 'from another server is not supported yet',
    params: { code: 'language/not-yet' },
  })
  .transform((local) => ({ local, rules: undefined }));
const long = includeMap.transform(({ local, rules }) => ({ local: local ?? '', rules }));
const one = z.union([short, long]);

/** One file or several; a list comes out. */
export const include = z.union([
  short.transform((only) => [only]),
  long.transform((only) => [only]),
  z.array(one),
]);
export const includeReader = checked('include', include);
/** Its row in the list of keywords. */
export const INCLUDE = {
  name: 'include',
  in: ['top'],
  status: 'differs',
  note: '`local` with wildcards, and `rules` with `if` and `exists`; not yet: `project`, `remote`, `template`, `component`, `rules:changes`',
  schema: include,
} as const;
export type WrittenInclude = z.output<typeof one>;
