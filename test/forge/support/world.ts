/** What the stories share: one Gitea with its people, and one davit. Known by folders and ports alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { davitAt, eventually, type DavitAt } from '../../support/davit.ts';
import type { KeyLookup, PipelineStatus } from '../../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../../src/plan/model/records.ts';
import { urlOf, type Account, type Delivered, type GiteaPlace } from './gitea.ts';

export interface ForgeWorld {
  gitea: GiteaPlace;
  /** DAVIT_HOME. */
  home: string;
  botToken: string;
}
declare module 'vitest' {
  interface ProvidedContext {
    forge: ForgeWorld;
  }
}

/** A pipeline of one short job on a busy machine. */
export const STORY_MS = 120_000;
export const ORGANISATION = 'acme';
const PASSWORD = 'only-for-this-test';
const person = (name: string): Account => ({ name, secret: PASSWORD });
/** `owner` administrates, `writer` pushes, `stranger` reads; `bot` is davit's. */
export const PEOPLE = {
  owner: person('owner'),
  writer: person('writer'),
  stranger: person('stranger'),
  bot: person('bot'),
};
export const WEBHOOK_SECRET = 'the-secret-of-the-webhooks';
/** Values of variables, which are searched where they must not be. */
export const SECRETS = { plain: 'plain-secret-of-the-project', protected: 'protected-secret-of-the-project' };

export const world = (): ForgeWorld => inject('forge');
export const davit = (): DavitAt => davitAt(world().home);

/** One request to Gitea's API. Rejects with the answer if it is not a success. */
export async function giteaApi<T>(
  place: GiteaPlace,
  [method, path, body]: readonly [method: string, path: string, body?: object],
  account: Account = PEOPLE.owner,
): Promise<T> {
  const basic = Buffer.from(`${account.name}:${account.secret}`).toString('base64');
  const response = await fetch(`${urlOf(place)}/api/v1/${path}`, {
    method,
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** What davit answered to a delivery. */
export function answerOf({ status, answer }: Delivered): {
  status: number;
  key?: string;
  project?: string;
  ignored?: string;
  error?: { code: string; message: string };
} {
  return { status, ...(answer.startsWith('{') ? (JSON.parse(answer) as object) : {}) };
}

/** What the project has made of a delivery; waits until it has decided. */
export async function decisionOf(delivered: Delivered): Promise<KeyLookup> {
  const { key, project, ...rest } = answerOf(delivered);
  if (key === undefined || project === undefined) throw new Error(`not accepted: ${JSON.stringify(rest)}`);
  return eventually(`a decision about ${key}`, STORY_MS, async () => {
    const path = `/api/v1/projects/${project}/requests/${encodeURIComponent(key)}?wait=5`;
    const found = await davit().api<KeyLookup>(path);
    return found.state === 'queued' || found.state === 'unknown' ? undefined : found;
  });
}

const seen = new Set<string>();
/** The pipeline that a delivery started: a new one, also where its event had one before. */
export async function pipelineOf(delivered: Delivered): Promise<string> {
  let last: KeyLookup | undefined;
  try {
    return await eventually('a pipeline', STORY_MS, async () => {
      last = await decisionOf(delivered);
      const { pipeline } = last;
      if (pipeline === undefined || seen.has(pipeline)) return undefined;
      seen.add(pipeline);
      return pipeline;
    });
  } catch (error) {
    throw new Error(`no new pipeline: ${JSON.stringify(last)}`, { cause: error });
  }
}

export const endOf = (id: string): Promise<PipelineStatus> => davit().verdict(id, STORY_MS);
/** Rejects with what a person would look at if the pipeline does not succeed. */
export async function succeeds(id: string): Promise<PipelineStatus> {
  const status = await endOf(id);
  if (status.state === 'success') return status;
  const jobs = status.jobs.map(({ key, outcome, result }) => `${key} ${outcome} ${result?.message ?? ''}`);
  throw new Error([`${id} ${status.state} ${status.reason ?? ''}`, ...jobs].join('\n'));
}
export const statusOf = (id: string): Promise<PipelineStatus> => davit().api(`/api/v1/pipelines/${id}`);
export const pipelinesOf = (project: string): Promise<PipelineSummary[]> =>
  davit().api(`/api/v1/pipelines?project=${project}&limit=100`);

/** Waits until a condition holds for a pipeline. */
export async function when(
  id: string,
  what: string,
  holds: (status: PipelineStatus) => boolean,
): Promise<PipelineStatus> {
  return eventually(`${id} ${what}`, STORY_MS, async () => {
    const status = await statusOf(id);
    return holds(status) ? status : undefined;
  });
}

/** The text of a job's log. */
export async function logOf(id: string, job: string): Promise<string> {
  const run = davit().run();
  const token = readFileSync(join(world().home, 'keys', 'cli-token'), 'utf8').trim();
  const url = `${run.server}/api/v1/pipelines/${id}/log?job=${encodeURIComponent(job)}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return response.text();
}

export async function decide(id: string, action: string, job: string): Promise<void> {
  await davit().api(`/api/v1/pipelines/${id}/decisions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action, job }),
  });
}
