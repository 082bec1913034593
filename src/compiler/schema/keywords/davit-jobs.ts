/** davit's own keywords: build, apitest, push, deploy, gate. */
import { z } from 'zod';
import { ARCHES } from '../../../plan/model/ids.ts';
import { duration, name, nameOrList, projectPath, scalarMap, stringOrList } from './common.ts';

const arches = z
  .union([z.enum(ARCHES).transform((one) => [one]), z.array(z.enum(ARCHES)).min(1, 'must name at least one')])
  .refine((list) => new Set(list).size === list.length, 'names one architecture twice');

export const build = z.strictObject({
  context: projectPath.default('.'),
  dockerfile: projectPath.default('Dockerfile'),
  platforms: arches.optional(),
  args: scalarMap.default({}),
  cache_from: z.enum(['registry', 'none']).default('registry'),
  target: name.optional(),
  to: name.optional(),
  labels: scalarMap.default({}),
});

const port = z
  .number()
  .int('must be a whole number')
  .min(1, 'must be 1 to 65535')
  .max(65_535, 'must be 1 to 65535');

export const apitest = z.strictObject({
  image_from: name,
  port,
  ready: z
    .strictObject({
      http: name.regex(/^\//, 'must be a path like /health').optional(),
      timeout: duration.default(30_000),
    })
    .default({ timeout: 30_000 }),
  network: z.enum(['job', 'host']).default('job'),
  host: name
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a host name of a-z, 0-9 and -')
    .default('app'),
  env: scalarMap.default({}),
  platforms: arches.optional(),
});

export const push = z.strictObject({
  from: nameOrList.refine((list) => list.length > 0, 'must name a build job'),
  to: name.optional(),
  tags: nameOrList.refine((list) => list.length > 0, 'must name at least one tag'),
  /**
   * One index for all architectures; false is for a single one and writes the image's own manifest to the
   * tags.
   */
  manifest: z.boolean().default(true),
});

const SHORT = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/;
const publishMap = z.strictObject({
  published: port,
  target: port,
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  mode: z.enum(['host', 'ingress']).optional(),
});
/** `PORT`, `PORT:PORT` or `PORT:PORT/udp`; undefined for anything else. */
export function parsePublish(
  text: string,
): { published: number; target: number; protocol: 'tcp' | 'udp' } | undefined {
  const found = SHORT.exec(text);
  const target = Number(found?.[2] ?? 0);
  const published = Number(found?.[1] ?? target);
  if (!found || target < 1 || target > 65_535 || published < 1 || published > 65_535) return undefined;
  return { published, target, protocol: found[3] === 'udp' ? 'udp' : 'tcp' };
}
export const PUBLISH_FORM = 'must be PORT:PORT or PORT:PORT/udp';
const publishShort = z.union([z.string(), z.number()]).transform((value, context) => {
  const text = String(value);
  // A text with a variable is parsed after expansion.
  if (text.includes('$')) return { text };
  const ports = parsePublish(text);
  if (ports) return { ...ports, mode: undefined };
  context.addIssue({ code: 'custom', message: `${PUBLISH_FORM}, not "${text}"` });
  return z.NEVER;
});

/** `SOURCE:TARGET` or `SOURCE:TARGET:ro`; undefined for anything else. A path has no `..`, which a glob would not see. */
export function parseMount(text: string): { source: string; target: string; readOnly: boolean } | undefined {
  const [source = '', target = '', mode, ...rest] = text.split(':');
  const isPath = (path: string): boolean =>
    /^\/([^/\0]+(\/[^/\0]+)*)?$/.test(path) && !path.split('/').some((part) => part === '.' || part === '..');
  const isVolume = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(source);
  if (rest.length > 0 || (mode !== undefined && mode !== 'ro' && mode !== 'rw')) return undefined;
  if (!(isVolume || isPath(source)) || !isPath(target) || target === '/') return undefined;
  return { source, target, readOnly: mode === 'ro' };
}
export const MOUNT_FORM = 'must be VOLUME:PATH or /PATH:PATH, with :ro for reading only';

const swarm = z.strictObject({
  service: name.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$|\$/, 'must be a service name: letters, digits, _ . -'),
  image_from: name.optional(),
  /** An image from outside this pipeline. */
  image: name.optional(),
  replicas: z.number().int('must be a whole number').min(0, 'must not be negative').max(1_000).default(1),
  publish: z.array(z.union([publishShort, publishMap])).default([]),
  endpoint_mode: z.enum(['vip', 'dnsrr']).default('vip'),
  constraints: z.array(name).default([]),
  env: scalarMap.default({}),
  networks: z.array(name).default([]),
  mounts: z.array(name).optional(),
  capabilities: z.array(name.regex(/^[A-Za-z_]+$/, 'must be a capability like NET_ADMIN')).optional(),
  secrets: z.array(name).optional(),
  configs: z.array(name).optional(),
  command: stringOrList.optional(),
  update: z
    .strictObject({
      order: z.enum(['stop-first', 'start-first']).default('stop-first'),
      parallelism: z.number().int('must be a whole number').min(1, 'must be at least 1').default(1),
      delay: duration.default(0),
      on_failure: z.enum(['rollback', 'pause']).default('rollback'),
    })
    .prefault({}),
  converge_timeout: duration.default(180_000),
});
export const deploy = z.strictObject({ swarm });

export const gate = z.union([
  z.literal(true).transform(() => ({
    approvers: new Array<string>(),
    expires_in: undefined,
    requires: new Array<string>(),
  })),
  z.strictObject({
    approvers: nameOrList.default([]),
    expires_in: duration.optional(),
    requires: nameOrList.default([]),
  }),
]);

export type Build = z.output<typeof build>;
export type Apitest = z.output<typeof apitest>;
export type Push = z.output<typeof push>;
export type Swarm = z.output<typeof swarm>;
