/** What runs, and in what: image, services, scripts, variables, tags. */
import { z } from 'zod';
import { ARCHES } from '../../plan/ids.ts';
import { name, nameOrList, script, stringOrList } from './common.ts';

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
  entrypoint: stringOrList.optional(),
  docker: docker.optional(),
  pull_policy: pullPolicy.optional(),
};

export const image = z.union([name.transform((value) => ({ name: value })), z.strictObject(imageMap)]);

/** A variable's value: text, or a map of value, description, options, expand. */
export const variableValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.strictObject({
    value: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
    description: z.string().optional(),
    options: z.array(z.string()).optional(),
    expand: z.boolean().optional(),
  }),
]);
const variableName = z
  .string()
  .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'has a name that no shell takes: use letters, digits and _');
export const variables = z.record(variableName, variableValue);

const service = z.union([
  name.transform((value) => ({ name: value })),
  z.strictObject({
    ...imageMap,
    alias: name.optional(),
    command: stringOrList.optional(),
    variables: variables.optional(),
  }),
]);
export const services = z.array(service);

export const scripts = script;
export const mainScript = script.refine((lines) => lines.length > 0, 'must not be empty');
export const tags = nameOrList;
export const arch = z.enum(ARCHES);
