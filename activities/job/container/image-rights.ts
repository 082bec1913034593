/**
 * Whether a job may use an image that its engine has already: another project's job, or a person, may have brought
 * it there.
 *
 * Invariants:
 *   RIGHT-1 An image that a registry has given is used only where the registry would give it to this job now: with
 *           the credentials of the installation, for a fork with none; davit's own registry is asked for the job. A yes holds for some minutes.
 *   RIGHT-2 A name that was made on this engine (built, loaded, tagged by a person) is for all projects of the
 *           installation; for forks only where the worker's file names it.
 *   RIGHT-3 The helper image, the default image, and every image for the local operator's own tree are used as they
 *           are.
 */
import type { ImageInfo, JobUse } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { digestIn, type ImageAsk, imageRefusal, isNamed } from '../../../src/match/image-permission.ts';
import { wildcardMatches } from '../../../src/match/wildcard.ts';
import type { JobDeps } from '../context/deps.ts';

export type Rights = Pick<JobDeps, 'registries' | 'facts' | 'worker'>;

const YES_MS = 5 * 60_000;
/** `away`: nobody can say. */
type Answer = 'yes' | 'no' | 'away';

/** Rejects with `engine/image-denied` where the name alone says that the job may not have it. */
export function checkName({ facts }: Pick<JobDeps, 'facts'>, name: string, ask: ImageAsk): void {
  const refusal = isGiven(facts, name) ? undefined : imageRefusal(name, ask, facts.config);
  if (refusal !== undefined) throw new DavitError('engine/image-denied', refusal);
}

export async function mayUse(
  deps: Rights,
  { name, ask, use }: { name: string; ask: ImageAsk; use?: JobUse | undefined },
  image: ImageInfo,
): Promise<{ allowed: boolean; note?: string }> {
  if (ask.local || isGiven(deps.facts, name)) return { allowed: true };
  const digest = digestIn(name, image.repoDigests);
  // Podman puts what it has built under `localhost/`.
  const isLocal = image.madeHere || digest === undefined || name.startsWith('localhost/');
  const named = deps.worker.config.fork_images.some((pattern) => wildcardMatches(pattern, name));
  if (isLocal && (!ask.fork || named)) return { allowed: true };
  if (digest === undefined) return { allowed: false };
  const answer = await askRegistry(deps, { name, digest, anonymous: ask.fork, use });
  if (answer !== 'away' || ask.fork) return { allowed: answer === 'yes' };
  return {
    allowed: true,
    note: `The registry of ${name} does not respond; the image on this engine is used.`,
  };
}

/** Named by the operator for everybody. */
const isGiven = ({ config }: JobDeps['facts'], name: string): boolean =>
  name === config.helper_image || name === config.default_image;

/** The image has that name: what an engine finds under a text may also be an id that begins with it. */
export const hasName = (name: string, image: ImageInfo): boolean =>
  name.includes('@') ? digestIn(name, image.repoDigests) !== undefined : isNamed(name, image.tags);

/** When the registry has last said yes, by who asked and for what; for each worker, which has its own facts. */
const granted = new WeakMap<object, Map<string, number>>();

async function askRegistry(
  { registries, facts }: Rights,
  { name, digest, ...asked }: { name: string; digest: string; anonymous: boolean; use: JobUse | undefined },
): Promise<Answer> {
  const until = granted.get(facts) ?? new Map<string, number>();
  granted.set(facts, until);
  const key = JSON.stringify([name, digest, asked.anonymous, asked.use?.job]);
  if ((until.get(key) ?? 0) > performance.now()) return 'yes';
  try {
    const { registry, repository } = await registries.forImage(name, asked);
    if (!(await registry.has(repository, digest))) return 'no';
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    return error.code === 'registry/denied' ? 'no' : 'away';
  }
  const now = performance.now();
  for (const [old, end] of until) if (end <= now) until.delete(old);
  until.set(key, now + YES_MS);
  return 'yes';
}
