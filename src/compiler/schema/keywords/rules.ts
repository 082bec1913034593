/** `rules` of jobs and of `workflow`. */
import { z } from 'zod';
import { patternProblem } from '../../../match/path-patterns.ts';
import { name } from './common.ts';
import { startIn } from './flow.ts';
import { needs } from './needs.ts';
import { variables } from './run.ts';

const MAX_PATHS = 50;
const MAX_NESTING = 10;
const paths = z.array(z.string()).max(MAX_PATHS, `must not have more than ${MAX_PATHS} paths`);
/** A regular expression that is searched for anywhere in a path. */
const pathPattern = z
  .string()
  .min(1, 'must not be empty')
  .max(255, 'must not be longer than 255 characters')
  .superRefine((text, context) => {
    const trouble = patternProblem(text);
    if (trouble)
      context.addIssue({ code: 'custom', message: `is not a valid regular expression: ${trouble}` });
  });
const lookedFor = { paths: paths.optional(), regexp: pathPattern.optional() };
const either = (value: { paths?: unknown; regexp?: unknown }): boolean =>
  (value.paths === undefined) !== (value.regexp === undefined);
const EITHER = 'needs either "paths" or "regexp"';

export const changes = z.union([
  paths.transform((list) => ({ paths: list, regexp: undefined, compare_to: undefined })),
  z.strictObject({ ...lookedFor, compare_to: name.optional() }).refine(either, EITHER),
]);
const plainExists = paths.transform((list) => ({
  paths: list,
  regexp: undefined,
  project: undefined,
  ref: undefined,
}));
export const exists = z.union([
  plainExists,
  z
    .strictObject({ ...lookedFor, project: name.optional(), ref: name.optional() })
    .refine(either, EITHER)
    .refine(
      (value) => value.ref === undefined || value.project !== undefined,
      'has "ref", which requires "project"',
    ),
]);
const conditions = {
  if: z.string().nullish(),
  changes: changes.optional(),
  exists: exists.optional(),
  variables: variables.optional(),
};
export const RULE_WHEN = ['on_success', 'on_failure', 'always', 'never', 'manual', 'delayed'] as const;
const notEmpty = (value: object): boolean => Object.keys(value).length > 0;

const rule = z
  .strictObject({
    ...conditions,
    when: z.enum(RULE_WHEN).optional(),
    start_in: startIn.optional(),
    allow_failure: z.boolean().optional(),
    needs: needs.optional(),
    interruptible: z.boolean().optional(),
  })
  .refine(notEmpty, 'must not be empty');

export const autoCancel = z.strictObject({
  on_new_commit: z.enum(['conservative', 'interruptible', 'none']).optional(),
  on_job_failure: z.enum(['all', 'none']).optional(),
});
const workflowRule = z
  .strictObject({
    ...conditions,
    when: z.enum(['always', 'never']).optional(),
    auto_cancel: autoCancel.optional(),
  })
  .refine(notEmpty, 'must not be empty');

type Nested<T> = T | Nested<T>[];

/** Nested lists come from anchors and are flattened, up to ten levels deep. */
function ruleList<S extends z.ZodType>(one: S) {
  type Rule = z.output<S>;
  const nested: z.ZodType<Nested<Rule>> = z.lazy(() => z.union([one, z.array(nested)]));
  return z
    .array(nested)
    .min(1, 'must not be empty')
    .transform((list, context) => {
      const flat: Rule[] = [];
      const walk = (items: readonly Nested<Rule>[], depth: number): void => {
        if (depth > MAX_NESTING)
          context.addIssue({ code: 'custom', message: `is nested deeper than ${MAX_NESTING} levels` });
        else
          for (const item of items)
            if (isList(item)) walk(item, depth + 1);
            else flat.push(item);
      };
      walk(list, 1);
      return flat;
    });
}
function isList<T>(item: Nested<T>): item is Nested<T>[] {
  return Array.isArray(item);
}

export const rules = ruleList(rule);
const workflowName = z.string().max(255, 'must not be longer than 255 characters');
export const workflow = z.strictObject({
  name: workflowName.nullish(),
  rules: ruleList(workflowRule).nullish(),
  auto_cancel: autoCancel.nullish(),
});
export type Rule = z.output<typeof rule>;
export type WorkflowRule = z.output<typeof workflowRule>;
