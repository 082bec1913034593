/** `trigger`: which pipeline a job starts, of this project or of another. */
import { z } from 'zod';
import { composable, name, pathProblem } from './common.ts';
import { include } from './include.ts';
import type { KeywordInfo } from '../validation/keyword.ts';

/** GitLab's limit for the files of one child. */
const MAX_INCLUDES = 3;

const strategy = z.enum(['depend', 'mirror']).optional();
const forward = z
  .strictObject({ yaml_variables: z.boolean().default(true), pipeline_variables: z.boolean().default(false) })
  .prefault({});
const inputs = z.record(name, z.unknown());

const artifact = z.strictObject({
  artifact: name
    .refine((path) => pathProblem(path) === undefined, 'must stay inside the project')
    .refine((path) => /\.ya?ml$/.test(path) || path.includes('$'), 'must end in .yml or .yaml'),
  job: name,
  inputs: inputs.nullish(),
});
export type WrittenArtifact = z.output<typeof artifact>;

/** The child reads its own `include`; it is validated here too, so that mistakes are reported early. */
const entry = z.unknown().transform((value, context): WrittenArtifact | 'written' => {
  const ofJob = typeof value === 'object' && value !== null && ('artifact' in value || 'job' in value);
  // Lists are flattened before.
  if (Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'must not be a list' });
    return z.NEVER;
  }
  const parsed = ofJob ? artifact.safeParse(value) : include.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues.flatMap(insideUnions)) context.addIssue(customIssue(issue));
    return z.NEVER;
  }
  return Array.isArray(parsed.data) ? 'written' : parsed.data;
});

type Issue = z.core.$ZodIssue;
/** The issues of the allowed shape that matched furthest. */
function insideUnions(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [best] = issue.errors.map((one) => one.flatMap(insideUnions)).sort((a, b) => depth(b) - depth(a));
  return (best ?? []).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}
const depth = (issues: readonly Issue[]): number =>
  Math.max(0, ...issues.map(({ code, path }) => path.length + (code === 'invalid_type' ? 0 : 1)));

function customIssue(issue: Issue): {
  code: 'custom';
  path: PropertyKey[];
  message: string;
  params?: Params;
} {
  const { code, path, message } = issue;
  if (code === 'unrecognized_keys')
    return {
      code: 'custom',
      path,
      message: `has an unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`,
    };
  if (code === 'invalid_type' && message.includes('undefined'))
    return { code: 'custom', path, message: 'is missing', params: { code: 'language/missing' } };
  if (code === 'invalid_type') return { code: 'custom', path, message: `must be a ${issue.expected}` };
  return { code: 'custom', path, message, ...(code === 'custom' && { params: issue.params }) };
}
type Params = Record<string, unknown> | undefined;

const entries = z.preprocess(
  (value): unknown => (Array.isArray(value) ? value : [value]),
  composable([entry], (list) =>
    list.min(1, 'must not be empty').max(MAX_INCLUDES, `must not have more than ${MAX_INCLUDES} files`),
  ),
);

const full = z
  .strictObject({
    project: name.optional(),
    branch: name.optional(),
    include: entries.optional(),
    strategy,
    forward,
    inputs: inputs.optional(),
  })
  .superRefine((value, context) => {
    const report = (key: string | undefined, message: string): void =>
      context.addIssue({ code: 'custom', path: key === undefined ? [] : [key], message });
    const child = value.include !== undefined;
    if (child === (value.project !== undefined))
      report(
        child ? 'project' : undefined,
        child ? 'cannot be used together with include' : 'needs a project or an include',
      );
    for (const key of ['branch', 'inputs'] as const)
      if (child && value[key] !== undefined)
        report(
          key,
          key === 'inputs' ? 'must be set in an entry of include' : 'cannot be used together with include',
        );
  });

export interface WrittenTrigger {
  project?: string;
  branch?: string;
  /** In file order; `written`: as the child's include reads it. */
  include?: (WrittenArtifact | 'written')[];
  strategy?: 'depend' | 'mirror';
  forward: { yaml_variables: boolean; pipeline_variables: boolean };
  inputs?: Record<string, unknown>;
}
export const trigger = z.union([
  name.transform(
    (project): WrittenTrigger => ({ project, forward: { yaml_variables: true, pipeline_variables: false } }),
  ),
  full.transform((value): WrittenTrigger => value),
]);

/** Its entry in the keyword table. */
export const TRIGGER: KeywordInfo = {
  name: 'trigger',
  in: ['job'],
  status: 'differs',
  note: 'another project must list this one in `triggered_by`',
  schema: trigger,
};
