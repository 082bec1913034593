/** What runs and where: image, services, scripts, variables, tags. */
import { z } from 'zod';
import { ARCHES } from '../../../plan/model/ids.ts';
import { coveragePattern } from '../../coverage.ts';
import { composable, name, refused, script } from './common.ts';
import { messageOf } from '../../../utils/message.ts';

const PULL = ['always', 'if-not-present', 'never'] as const;
const pullPolicy = z.union([
  z.enum(PULL).transform((value) => [value]),
  z.array(z.enum(PULL)).min(1, 'must not be empty'),
]);
const docker = z.strictObject({
  platform: name.optional(),
  user: z.union([name, z.number().transform(String)]).optional(),
});
const imageMap = {
  name,
  entrypoint: z.array(z.string()).optional(),
  docker: docker.optional(),
  pull_policy: pullPolicy.optional(),
  kubernetes: refused('davit runs jobs on Docker engines; `docker: user` names the user there'),
};

export const image = z.union([name.transform((value) => ({ name: value })), z.strictObject(imageMap)]);

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
/** A variable's value: text, or a map. Only global variables have a description and options. */
const jobValue = z.union([
  scalar,
  z.strictObject({ value: scalar.optional(), expand: z.boolean().optional() }),
]);
const globalValue = z.union([
  scalar,
  z
    .strictObject({
      value: scalar.optional(),
      description: z.string().optional(),
      options: z.array(z.string()).min(1, 'must not be empty').optional(),
      expand: z.boolean().optional(),
    })
    .refine(
      ({ value, options }) => options?.includes(String(value)) ?? true,
      'must have a value that is one of its options',
    ),
]);
/** GitLab also accepts a leading digit; a shell cannot use such a variable. */
const variableName = z
  .string()
  .regex(/^[a-zA-Z0-9_]+$/, 'has a name that is not valid in a shell: use letters, digits and _');
export const variables = z.record(variableName, jobValue);
export const globalVariables = z.record(variableName, globalValue);

const service = z.union([
  name.transform((value) => ({ name: value })),
  z.strictObject({
    ...imageMap,
    alias: name.optional(),
    command: z.array(z.string()).optional(),
    variables: variables.optional(),
  }),
]);
export const services = composable(service.options);

export const scripts = script;
export const hooks = z.strictObject({ pre_get_sources_script: script.optional() });
export const mainScript = script.refine((lines) => lines.some((line) => line !== ''), 'must not be empty');
/** Nested lists come from anchors and are flattened. */
export const tags = z
  .array(z.union([name, z.array(name)]))
  .transform((list) => list.flat())
  .refine((list) => list.length < 50, 'must have fewer than 50 entries');
export const arch = z.enum(ARCHES);

export const coverage = z.string().superRefine((text, context) => {
  const issue = (message: string): void => {
    context.addIssue({ code: 'custom', message });
  };
  try {
    if (!coveragePattern(text))
      issue('must be a regular expression between slashes, like /Coverage: (\\d+)/');
  } catch (error) {
    issue(`is not a valid regular expression: ${messageOf(error)}`);
  }
});
