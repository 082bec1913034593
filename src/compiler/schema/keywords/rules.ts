/** `rules` of jobs and of `workflow`. */
import { z } from 'zod';
import { patternProblem } from '../../../match/path-patterns.ts';
import { composable, name } from './common.ts';
import { startIn } from './flow.ts';
import { needs } from './needs.ts';
import { variables } from './run.ts';

const MAX_PATHS = 50;
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

const NOT_EMPTY = 'must not be empty';
export const rules = composable([rule], (list) => list.min(1, NOT_EMPTY));
const workflowName = z.string().max(255, 'must not be longer than 255 characters');
export const workflow = z.strictObject({
  name: workflowName.nullish(),
  rules: composable([workflowRule], (list) => list.min(1, NOT_EMPTY)).nullish(),
  auto_cancel: autoCancel.nullish(),
});
export type Rule = z.output<typeof rule>;
export type WorkflowRule = z.output<typeof workflowRule>;
