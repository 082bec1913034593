/** What a person's request for a pipeline becomes: of a ref, of a working tree, or of an ended pipeline again. */
import { DavitError } from '../errors.ts';
import type { InstallationProject } from '../installation.ts';
import { mayStartProtected } from '../compiler/variables/installation.ts';
import { refProtection } from '../match/protected-refs.ts';
import { parsePipelineId, type PipelineId, type ProjectSlug } from '../plan/model/ids.ts';
import { knownProjectName, type KnownProject } from '../plan/model/records.ts';
import { eventOf, type Trigger } from '../plan/model/trigger.ts';
import { defaultBranchOf } from '../plan/policy/default-branch.ts';
import type { StartRequest } from './api.ts';
import type { User } from './auth.ts';
import type { ServerDeps } from './deps.ts';
import { recordOf } from './records.ts';
import type { ResolvedRef } from './resolve-ref.ts';

const NEW_REF = '0'.repeat(40);

interface Asked {
  request: StartRequest;
  user: User;
}

/** The source is a working tree that was stored before, or the repository of a known project. */
export async function newTrigger(
  deps: ServerDeps,
  slug: ProjectSlug,
  { request, user }: Asked,
): Promise<Trigger> {
  const project = projectNamed(deps, slug);
  if (request.sourceBlob) await refuseLost(deps, request.sourceBlob);
  else if (!project?.clone_url)
    throw new DavitError(
      'usage/invalid',
      `The project ${slug} has no clone_url, and the request has no source.`,
      {
        hint: 'Store a working tree first (`davit run` does), or set clone_url of the project in the installation file.',
      },
    );
  const commit = await commitOf(deps, project, { request, user });
  return {
    ...request,
    ...commit,
    before: request.before ?? NEW_REF,
    title: request.title ?? '',
    project: slug,
    ...askedBy(user, request.key),
    defaultBranch: request.defaultBranch ?? project?.default_branch,
    cloneUrl: request.sourceBlob ? undefined : project?.clone_url,
    fork: false,
  };
}

/** A request that names a commit says what it is of; otherwise the repository is asked. */
async function commitOf(
  deps: ServerDeps,
  project: InstallationProject | undefined,
  { request, user }: Asked,
): Promise<ResolvedRef> {
  const { ref, refKind, sha, sourceBlob } = request;
  if (sha !== undefined || sourceBlob !== undefined || !project) {
    if (ref === undefined || refKind === undefined || sha === undefined)
      throw new DavitError(
        'usage/invalid',
        'The request names no commit (sha) of its working tree, or no ref.',
      );
    await refuseProtected(deps, project, { of: { ref, refKind, sourceBlob }, user });
    return { ref, refKind, sha };
  }
  const known = await deps.records.get<KnownProject>(knownProjectName(project.name));
  const default_branch = defaultBranchOf(project, known ?? {});
  const resolved = await deps.resolveRef({ ...project, default_branch }, { ref, refKind });
  await refuseProtected(deps, project, { of: resolved, user });
  return resolved;
}

/**
 * A new pipeline of the ref, the commit, the variables and the inputs of one that has ended. It is for the same event, so
 * the same rules match, but it is a person's request: it supersedes nothing, and has the rights of who asks.
 * Rejects with `not-found`, `usage/invalid`, `auth/denied`, `blob/missing`.
 */
export async function triggerAgain(
  deps: ServerDeps,
  id: PipelineId,
  { key, user }: { key: string; user: User },
): Promise<Trigger> {
  const slug = parsePipelineId(id)?.slug ?? '';
  const known = await deps.workflows.describe(id);
  const before = (await recordOf(deps, id))?.trigger;
  if (!before && !known) throw new DavitError('not-found', `There is no pipeline ${id}.`);
  if (!before || known?.open)
    throw new DavitError(
      'usage/invalid',
      `The pipeline ${id} has not ended: only an ended one is run again as a whole.`,
      { hint: `Wait for its end, or cancel it with \`davit cancel ${id}\`.` },
    );
  if (before.upstream)
    throw new DavitError(
      'usage/invalid',
      `The pipeline ${id} was started by a job of ${before.upstream.pipeline}.`,
      {
        hint: `Run that job again: \`davit retry ${before.upstream.pipeline}\`.`,
      },
    );
  const { proof: _proof, reconciled: _reconciled, role: _role, local: _local, ...event } = before;
  if (event.sourceBlob !== undefined) await refuseLost(deps, event.sourceBlob);
  const project = projectNamed(deps, slug);
  if (!event.fork) await refuseProtected(deps, project, { of: event, user });
  return {
    ...event,
    ...askedBy(user, key),
    key,
    source: 'api',
    again: { pipeline: id, source: eventOf(before) },
    startedBefore: [...new Set([...(before.startedBefore ?? []), before.actor])],
    cloneUrl: event.sourceBlob === undefined ? (project?.clone_url ?? event.cloneUrl) : undefined,
  };
}

const projectNamed = ({ facts }: ServerDeps, slug: ProjectSlug): InstallationProject | undefined =>
  facts().config.projects.find((one) => one.name === slug);

const askedBy = (
  user: User,
  key: string,
): Pick<Trigger, 'actor' | 'role' | 'local' | 'deliveryId' | 'receivedAt'> => ({
  deliveryId: key,
  actor: user.name,
  role: user.role,
  ...(user.local && { local: true as const }),
  receivedAt: Date.now(),
});

async function refuseLost({ blobs }: ServerDeps, digest: NonNullable<Trigger['sourceBlob']>): Promise<void> {
  if (!(await blobs.has(digest)))
    throw new DavitError('blob/missing', 'The store does not have the source of this request.');
}

/** A working tree under the name of a protected ref starts, unprotected; a commit of the repository does not start at all. */
async function refuseProtected(
  { protectionOf }: ServerDeps,
  project: InstallationProject | undefined,
  {
    of: { sourceBlob, ref, refKind },
    user,
  }: { of: Pick<Trigger, 'ref' | 'refKind' | 'sourceBlob'>; user: User },
): Promise<void> {
  if (!project || sourceBlob !== undefined || mayStartProtected(project, user)) return;
  const lists = { ...project, forge_protects: await protectionOf(project) };
  const protection = refProtection(lists, refKind, ref);
  if (protection === 'unprotected') return;
  throw new DavitError(
    'auth/denied',
    protection === 'unknown'
      ? `${user.name} may not start pipelines of the ${refKind} ${ref}: the forge has not said yet whether it is protected.`
      : `${user.name} may not start pipelines of the protected ${refKind} ${ref}.`,
    {
      hint: 'Push to it, ask an operator, or have the role or the name added to start_protected of the project.',
    },
  );
}
