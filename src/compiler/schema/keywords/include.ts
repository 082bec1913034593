/** `include`: the files that a file includes. Each item has one kind; some keys belong to one kind only. */
import { z } from 'zod';
import { parseDuration } from '../../../plan/model/duration.ts';
import { composable, name, refused } from './common.ts';
import { changes, exists } from './rules.ts';
import { checked } from '../validation/validate.ts';

const includeRule = z
  .strictObject({
    if: z.string().nullish(),
    exists: exists.optional(),
    changes: changes.optional(),
    when: z.enum(['always', 'never']).optional(),
  })
  .refine((value) => Object.keys(value).length > 0, 'must not be empty');

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** `true` means one hour, as in GitLab; less than a minute is refused. */
const cache = z.union([z.boolean(), z.string()]).transform((value, context) => {
  if (typeof value === 'boolean') return value ? HOUR_MS : undefined;
  const ms = parseDuration(value);
  if (ms !== undefined && ms >= MINUTE_MS) return ms;
  context.addIssue({
    code: 'custom',
    message: `must be true, or a duration of at least a minute, not "${value}"`,
  });
  return z.NEVER;
});
/** SRI (W3C Subresource Integrity) with the only hash that GitLab accepts. */
const integrity = z
  .string()
  .regex(/^sha256-[A-Za-z0-9+/]{43}=$/, 'must be sha256- followed by 32 bytes in base64')
  .transform((text) => text.slice('sha256-'.length));

const includeMap = z.strictObject({
  local: name.optional(),
  project: name.optional(),
  ref: name.optional(),
  file: z
    .union([name.transform((one) => [one]), z.array(name).min(1, 'must name at least one file')])
    .optional(),
  remote: name.optional(),
  integrity: integrity.optional(),
  cache: cache.optional(),
  template: name.optional(),
  component: name.optional(),
  // Checked against the header of the included file.
  inputs: z.record(name, z.unknown()).nullish(),
  rules: composable([includeRule]).optional(),
  artifact: refused('only trigger:include can use a file that a job creates').optional(),
  job: refused('only trigger:include can use a file that a job creates').optional(),
});
type IncludeMap = z.output<typeof includeMap>;
const KINDS = ['local', 'project', 'remote', 'template', 'component'] as const;
/** Keys that belong to one kind only. */
const BESIDE = { ref: 'project', file: 'project', integrity: 'remote', cache: 'remote' } as const;

export interface WrittenInclude {
  where:
    | { kind: 'local'; local: string }
    | { kind: 'project'; project: string; ref?: string; files: readonly string[] }
    | { kind: 'remote'; url: string; integrity?: string; cacheMs?: number }
    | { kind: 'template'; template: string }
    | { kind: 'component'; component: string };
  rules?: z.output<typeof includeRule>[];
}

const long = includeMap
  .superRefine((value, context) => {
    const report = (message: string, path: string[] = []): void =>
      context.addIssue({ code: 'custom', message, path });
    const kinds = KINDS.filter((kind) => value[kind] !== undefined);
    if (kinds.length === 0)
      report('needs one of "local", "project" with "file", "remote", "template" or "component"');
    if (kinds.length > 1) report(`has ${kinds.map((kind) => `"${kind}"`).join(' and ')}: keep one`);
    for (const [part, kind] of Object.entries(BESIDE))
      if (value[part as keyof typeof BESIDE] !== undefined && value[kind] === undefined && kinds.length > 0)
        report(`can be used only with "${kind}"`, [part]);
    if (value.project !== undefined && value.file === undefined)
      report('needs "file", a file of that project');
  })
  .transform((value): WrittenInclude => {
    const { rules } = value;
    return { where: whereOf(value), ...(rules && { rules }) };
  });

function whereOf(value: IncludeMap): WrittenInclude['where'] {
  const { project, ref, file = [], remote, template, component } = value;
  if (project !== undefined) return { kind: 'project', project, ref, files: file };
  if (remote !== undefined)
    return { kind: 'remote', url: remote, integrity: value.integrity, cacheMs: value.cache };
  if (template !== undefined) return { kind: 'template', template };
  if (component !== undefined) return { kind: 'component', component };
  return { kind: 'local', local: value.local ?? '' };
}

/** A text is an address if it begins like one, else a path in this project. */
const short = name.transform((text): WrittenInclude => {
  const remote = /^https?:\/\//i.test(text);
  return { where: remote ? { kind: 'remote', url: text } : { kind: 'local', local: text } };
});
const one = z.union([short, long]);

/** One file or several; the result is a list. */
export const include = z.union([
  short.transform((only) => [only]),
  long.transform((only) => [only]),
  composable(one.options),
]);
export const includeReader = checked('include', include);
/** Its entry in the keyword table. */
export const INCLUDE = {
  name: 'include',
  in: ['top'],
  status: 'differs',
  note: "`remote` uses https and public addresses only; `template` has the templates that davit ships, and GitLab's own where the installation file says so",
  schema: include,
} as const;
