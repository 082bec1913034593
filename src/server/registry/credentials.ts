/**
 * Role: credentials that the server hands out itself: to jobs, to davit's work for a job, and to deployment targets.
 * Not its role: what they may do (`src/match/registry-access.ts`, the routes that accept them).
 *
 * Invariants:
 *   CRED-1 A credential is its own proof: its content, and a code of it by a key that never leaves the server. None
 *          is stored, and a restart of the server ends none.
 *   CRED-2 A job's ends with its attempt: it counts while the log of the attempt is open, and never longer than it
 *          says. The log of an attempt is opened before anything of it starts, and closed when it is over, however.
 *   CRED-3 A deploy token counts until it is revoked (`deploy-tokens.ts`).
 *   CRED-4 What a worker pulls an image of its own with is for that image and an hour.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { InstallationKey, KeyRing, LogRef, LogStore } from '../../adapters/ports.ts';
import type { JobAsker } from '../../match/registry-access.ts';
import { parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';

/** For the script of a job, or for davit's own work, with the repositories that this writes. */
export interface JobCredential {
  job: JobAsker;
  attempt: LogRef;
  writes?: string[] | undefined;
}

const PREFIX = { job: 'davit-job_', deploy: 'davit-deploy_', pull: 'davit-pull_' } as const;
const PURPOSE = 'davit credentials v1';
const MAX_CHARS = 16 * 1024;

const jobClaims = z.object({
  p: z.string(),
  r: z.boolean(),
  f: z.boolean(),
  l: z.boolean().optional(),
  a: z.tuple([
    z.string().refine((text): text is PipelineId => parsePipelineId(text) !== undefined),
    z.string(),
    z.number(),
  ]),
  w: z.array(z.string()).optional(),
  /** Epoch s. */
  e: z.number(),
});

const pullClaims = z.object({ i: z.string(), e: z.number() });
const PULL_MS = 60 * 60_000;

export interface Credentials {
  /** `forMs`: at most. */
  forJob(of: JobCredential, forMs: number): string;
  forTarget(id: string): string;
  forPull(repository: string): string;
  /** Undefined: not a job's, or one that is over. */
  job(text: string): Promise<JobCredential | undefined>;
  /** The id of a deploy token, revoked or not. */
  target(text: string): string | undefined;
  /** The repository. */
  pull(text: string): string | undefined;
}

/** A key that was replaced still opens what it has made. */
export function serverCredentials(keys: KeyRing, logs: Pick<LogStore, 'state'>): Credentials {
  const codeOf = (key: InstallationKey, text: string): Buffer =>
    createHmac('sha256', key.derive(PURPOSE)).update(text).digest();
  const made = (text: string): string => `${text}.${codeOf(keys.current(), text).toString('base64url')}`;
  /** What was made here, without its code. */
  const opened = (prefix: string, text: string): string | undefined => {
    const dot = text.lastIndexOf('.');
    if (!text.startsWith(prefix) || dot < 0 || text.length > MAX_CHARS) return undefined;
    const code = Buffer.from(text.slice(dot + 1), 'base64url');
    const isOurs = keys.all().some((key) => {
      const wanted = codeOf(key, text.slice(0, dot));
      return code.length === wanted.length && timingSafeEqual(code, wanted);
    });
    return isOurs ? text.slice(prefix.length, dot) : undefined;
  };
  return {
    forJob({ job, attempt: { pipeline, job: name, attempt }, writes }, forMs) {
      const claims: z.input<typeof jobClaims> = {
        p: job.project,
        r: job.protectedRef,
        f: job.fork,
        ...(job.local && { l: true }),
        a: [pipeline, name, attempt],
        ...(writes && writes.length > 0 && { w: writes }),
        e: Math.floor((Date.now() + forMs) / 1000),
      };
      return made(PREFIX.job + encoded(claims));
    },
    forTarget: (id) => made(PREFIX.deploy + id),
    async job(text) {
      const payload = opened(PREFIX.job, text);
      if (payload === undefined) return undefined;
      const { p, r, f, l, a, w, e } = jobClaims.parse(decoded(payload));
      const [pipeline, job, attempt] = a;
      const ref = { pipeline, job, attempt };
      if (e * 1000 < Date.now()) return undefined;
      const log = await logs.state(ref);
      if (!log || log.ended) return undefined; // CRED-2
      return {
        job: { project: p, protectedRef: r, fork: f, ...(l && { local: true }) },
        attempt: ref,
        ...(w && { writes: w }),
      };
    },
    target: (text) => opened(PREFIX.deploy, text),
    forPull: (repository) =>
      made(PREFIX.pull + encoded({ i: repository, e: Math.floor((Date.now() + PULL_MS) / 1000) })),
    pull(text) {
      const payload = opened(PREFIX.pull, text);
      const claims = payload === undefined ? undefined : pullClaims.parse(decoded(payload));
      return claims && claims.e * 1000 >= Date.now() ? claims.i : undefined;
    },
  };
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decoded = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
