/**
 * Tokens of attempts: what the holder may do stands in the token, signed with a key of the installation. So the server
 * remembers none of them, a restart invalidates none, and a rotation of the key leaves those valid that exist.
 *
 * TOKEN-1 A token is for one dispatch of one attempt, and ends minutes after it was minted.
 * TOKEN-2 It names the worker's token that asked for it, and ends with that one.
 * Whether the attempt is still open is not in the token: `open-attempts.ts` asks.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { InstallationKey, KeyRing } from '../../adapters/ports.ts';
import { parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';

const PREFIX = 'davit-attempt';
const PURPOSE = 'davit attempt token v1';
/** A worker renews it after half of this. */
export const ATTEMPT_TOKEN_MS = 10 * 60_000;

const claims = z.object({
  /** Id of the worker's token. */
  token: z.string(),
  /** The worker's name for people; empty for the token that workers share, and for control workers. */
  worker: z.string(),
  /** `job`: runs it or continues it. `stop`: ends what a lost worker left. `release`: removes what ended attempts left. */
  kind: z.enum(['job', 'stop', 'release']),
  pipeline: z.string().refine((text): text is PipelineId => parsePipelineId(text) !== undefined),
  run: z.string(),
  activity: z.string(),
  job: z.string(),
  jobId: z.number(),
  attempt: z.number(),
  epoch: z.number(),
  /** Name of its container, and of its records. */
  name: z.string(),
  project: z.string(),
  protectedRef: z.boolean(),
  fork: z.boolean(),
  /** CI_PIPELINE_ID */
  number: z.number(),
  /** Queue of the job, which names the target of a deployment. */
  queue: z.string(),
  /** Epoch ms. */
  until: z.number(),
});
export type AttemptClaims = z.output<typeof claims>;

export const isAttemptToken = (token: string): boolean => token.startsWith(`${PREFIX}.`);

export function signAttempt(keys: KeyRing, attempt: AttemptClaims): string {
  const key = keys.current();
  const body = `${PREFIX}.${key.id}.${Buffer.from(JSON.stringify(attempt)).toString('base64url')}`;
  return `${body}.${macOf(key, body).toString('base64url')}`;
}

/** Undefined: not a token of this installation. It may have expired. */
export function readAttempt(keys: KeyRing, token: string): AttemptClaims | undefined {
  const cut = token.lastIndexOf('.');
  const [prefix, id, payload, ...more] = token.slice(0, cut).split('.');
  const key = prefix === PREFIX && more.length === 0 ? keys.find(id ?? '') : undefined;
  if (!key || payload === undefined) return undefined;
  const mac = Buffer.from(token.slice(cut + 1), 'base64url');
  const wanted = macOf(key, token.slice(0, cut));
  if (mac.length !== wanted.length || !timingSafeEqual(mac, wanted)) return undefined;
  const parsed = claims.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  // A signed payload of another version is no token of this one.
  return parsed.success ? parsed.data : undefined;
}

const macOf = (key: InstallationKey, body: string): Buffer =>
  createHmac('sha256', key.derive(PURPOSE)).update(body).digest();
