/** Projects for people: start a pipeline, look up a request, stop an environment. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isDigest, pipelineId, type ProjectSlug } from '../../plan/model/ids.ts';
import type { KeyLookup, ProjectStatus } from '../../plan/model/protocol.ts';
import { claimName, type ClaimRecord } from '../../plan/model/records.ts';
import { userOf } from '../access.ts';
import type { StartResponse, StartRequest, StopResponse } from '../api.ts';
import type { ChangeBoard } from '../changes.ts';
import type { ServerDeps } from '../deps.ts';
import { newTrigger } from '../new-trigger.ts';
import { keyOf, missing, requestKey, slugOf, waitOf } from './params.ts';
import { sha256 } from '../../utils/sha256.ts';

const MAX_CHANGED_CHARS = 262_144;
const MAX_INPUTS = 131_072;
const START_MS = 8_000;
const sha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'a full commit sha');
const line = (max: number) => z.string().max(max);
const startBody: z.ZodType<StartRequest> = z.strictObject({
  key: requestKey,
  ref: z.string().min(1).max(255).optional(),
  refKind: z.enum(['branch', 'tag', 'merge_request']).optional(),
  sha: sha.optional(),
  before: sha.optional(),
  title: line(1_000).optional(),
  message: line(16_384).optional(),
  sourceBlob: z.string().refine(isDigest, 'a digest is sha256:<64 hex digits>').optional(),
  file: line(1_024).optional(),
  changed: z
    .record(line(255), z.array(line(4_096)))
    .refine((value) => JSON.stringify(value).length <= MAX_CHANGED_CHARS, 'at most 256 KiB of paths')
    .optional(),
  lastCommits: z
    .record(line(4_096), sha)
    .refine((value) => Object.keys(value).length <= 1_000, 'at most 1,000 files')
    .optional(),
  jobs: z.array(line(1_024)).max(1_000).optional(),
  variables: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), line(65_536)).optional(),
  inputs: z
    .record(line(255).min(1), z.json())
    .refine((value) => JSON.stringify(value).length <= MAX_INPUTS, 'at most 128 KiB of inputs')
    .optional(),
  defaultBranch: line(255).optional(),
  here: z.boolean().optional(),
  origin: z
    .strictObject({ host: line(255).min(1), path: line(1_024).min(1), plain: z.literal(true).optional() })
    .optional(),
  source: z.enum(['cli', 'api', 'web']),
});

const stopBody = z.strictObject({ name: z.string().min(1).max(255) });

export function projectRoutes(app: FastifyInstance, deps: ServerDeps, changes: ChangeBoard): void {
  app.post(
    '/api/v1/projects/:slug/pipelines',
    { config: { access: 'developer' } },
    async (request, reply) => {
      const slug = slugOf(request.params);
      const trigger = await newTrigger(deps, slug, {
        request: startBody.parse(request.body),
        user: userOf(request),
      });
      await deps.workflows.trigger(trigger, START_MS);
      const answer: StartResponse = { key: trigger.key, project: slug };
      return reply.code(202).send(answer);
    },
  );
  app.get(
    '/api/v1/projects/:slug/requests/:key',
    { config: { access: 'reader' } },
    async ({ params, query }) => {
      const { slug, key } = keyOf(params);
      const waitMs = waitOf(query) * 1_000;
      const onChange = (listener: () => void) => changes.onRequest(slug, key, listener);
      return decided({ waitMs, askAgainMs: deps.limits.statusMs, onChange }, () => lookup(deps, slug, key));
    },
  );
  app.get(
    '/api/v1/projects/:slug',
    { config: { access: 'reader' } },
    async ({ params }): Promise<ProjectStatus> => {
      const slug = slugOf(params);
      const status = await deps.workflows.project(slug);
      if (status) return status;
      if (!deps.facts().config.projects.some((one) => one.name === slug))
        throw missing(`There is no project ${slug}.`);
      return { project: slug, running: [], locks: [] };
    },
  );
  environmentRoute(app, deps);
}

/** 202: the project starts the job that stops the environment. */
function environmentRoute(app: FastifyInstance, deps: ServerDeps): void {
  app.post(
    '/api/v1/projects/:slug/environments/stop',
    { config: { access: 'developer' } },
    async (request, reply) => {
      const slug = slugOf(request.params);
      const { name } = stopBody.parse(request.body);
      const known = (await deps.workflows.project(slug))?.environments?.find((one) => one.name === name);
      if (!known) throw missing(`The project ${slug} has no environment ${name}.`);
      const { name: actor } = userOf(request);
      if (known.state !== 'stopped')
        await deps.workflows.stopEnvironment(slug, { name, actor, since: known.since });
      const answer: StopResponse = { accepted: true, was: known.state };
      return reply.code(202).send(answer);
    },
  );
}

/**
 * What `ask` says once the project has decided, or when the time is over. Asks again when a change is told, and now and again
 * without, because a change that is told may get lost.
 */
async function decided(
  options: { waitMs: number; askAgainMs: number; onChange(listener: () => void): () => void },
  ask: () => Promise<KeyLookup>,
): Promise<KeyLookup> {
  const end = Date.now() + options.waitMs;
  for (;;) {
    const over = new AbortController();
    const stop = options.onChange(() => over.abort());
    try {
      const known = await ask();
      const left = end - Date.now();
      if ((known.state !== 'unknown' && known.state !== 'queued') || left <= 0) return known;
      await delay(Math.min(left, options.askAgainMs), undefined, { signal: over.signal }).catch(
        () => undefined,
      ); // told
    } finally {
      stop();
    }
  }
}

/** The workflow knows recent requests, the store all that have started a pipeline. */
async function lookup(deps: ServerDeps, slug: ProjectSlug, key: string): Promise<KeyLookup> {
  const known = await deps.workflows.lookup(slug, key);
  if (known && known.state !== 'unknown') return known;
  const hash = sha256(key);
  const claim = await deps.records.get<ClaimRecord>(claimName(slug, hash));
  return claim ? { state: 'started', pipeline: pipelineId(slug, claim.iid) } : { state: 'unknown' };
}
