import type { BlobStore, CommitFacts, Secrets, Source, SubmoduleRequest } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import { deepest, depthOf, USUAL_DEPTH } from '../../src/plan/policy/git-depth.ts';
import type { JobSpec } from '../../src/plan/model/spec.ts';
import { submodulesOf, type WantedSubmodules } from '../../src/plan/policy/submodules.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

export interface FetchedSource {
  source: Digest;
  commit: CommitFacts;
}
/** Beside what the plan depends on: what people have to know about the source. */
export interface SourceNotes {
  warning?: string;
}
const NAMED = 3;

/** An image that is built of pointers is wrong and looks right. */
export function lfsWarning(files: readonly string[]): string {
  const names = files.slice(0, NAMED).join(', ');
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
  return `Git LFS: ${names}${more} ${files.length === 1 ? 'is a pointer' : 'are pointers'} in this pipeline, because davit fetches no LFS objects. A job gets the content with \`git lfs pull\`, where its image has git-lfs and the forge gives it.`;
}

/** The pipeline's source as a blob: uploaded with the request, or fetched by its commit. */
export async function fetchSource(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: { trigger: Trigger; signal: AbortSignal; depth?: number; submodules?: SubmoduleRequest },
): Promise<FetchedSource & SourceNotes> {
  const { trigger, signal, depth = USUAL_DEPTH, submodules } = what;
  if (trigger.sourceBlob !== undefined) return { source: trigger.sourceBlob, commit: factsOf(trigger) };
  const { url, own } = cloneUrl(project, trigger);
  const fetched = await deps.source.fetch({
    url,
    sha: trigger.sha,
    ref: trigger.ref,
    depth,
    tag: trigger.refKind === 'tag',
    auth: own ? await cloneAuth(project, deps.secrets) : undefined,
    signal,
    ...(submodules && { submodules }),
  });
  const [stored] = await Promise.all([deps.blobs.putStream(fetched.tar), fetched.done]);
  return {
    source: stored.digest,
    commit: fetched.commit ?? factsOf(trigger),
    ...(fetched.lfs && { warning: lfsWarning(fetched.lfs) }),
  };
}

/**
 * Git's answers for `changes`. A request of `davit run` contains them. Without an answer every file counts as
 * changed.
 */
export async function changedFiles(
  deps: { source: Source; secrets: Secrets },
  project: InstallationProject,
  what: { trigger: Trigger; names: readonly string[]; signal: AbortSignal },
): Promise<Record<string, string[]> | undefined> {
  const { trigger, names, signal } = what;
  if (trigger.sourceBlob !== undefined || names.length === 0) return trigger.changed;
  const { url, own } = cloneUrl(project, trigger);
  const target = trigger.refKind === 'merge_request' ? trigger.mergeRequest?.targetBranch : undefined;
  return deps.source.changed({
    url,
    sha: trigger.sha,
    ref: trigger.ref,
    auth: own ? await cloneAuth(project, deps.secrets) : undefined,
    signal,
    since: names.map((name) => ({
      name,
      commit: name !== '' ? name : (target ?? trigger.before),
      mergeBase: name !== '' || target !== undefined,
    })),
  });
}

/** Git's answers for `cache: key: files_commits`. A request of `davit run` contains them. */
export async function lastCommits(
  deps: { source: Source; secrets: Secrets },
  project: InstallationProject,
  what: { trigger: Trigger; paths: readonly string[]; signal: AbortSignal },
): Promise<Record<string, string> | undefined> {
  const { trigger, paths, signal } = what;
  if (trigger.sourceBlob !== undefined || paths.length === 0) return trigger.lastCommits;
  const { url, own } = cloneUrl(project, trigger);
  const auth = own ? await cloneAuth(project, deps.secrets) : undefined;
  return deps.source.lastCommits({ url, sha: trigger.sha, ref: trigger.ref, auth, signal, paths });
}

/**
 * The operator's address takes precedence. An address from a payload gets no token, and only https and ssh as
 * transport.
 */
function cloneUrl(project: InstallationProject, trigger: Trigger): { url: string; own: boolean } {
  if (project.clone_url !== undefined) return { url: project.clone_url, own: true };
  const given = trigger.cloneUrl;
  if (given === undefined)
    throw new DavitError('git/bad-request', `davit does not know where the source of ${project.name} is.`, {
      hint: 'Give the project a clone_url in the installation file.',
    });
  if (!/^(https|ssh):\/\//.test(given) && !/^[\w.]+@[\w.-]+:/.test(given))
    throw new DavitError('git/bad-request', 'The clone address of the event is neither https nor ssh.');
  return { url: given, own: false };
}

/** The facts about the commit that the event contains. */
const factsOf = (trigger: Trigger): CommitFacts => ({
  author: trigger.actor,
  timestamp: new Date(trigger.receivedAt).toISOString(),
  message: trigger.message ?? trigger.title,
});

interface SourceJobs<T> {
  trigger: Trigger;
  jobs: readonly T[];
  signal: AbortSignal;
  allowHosts: readonly string[];
}

/**
 * GIT_DEPTH: a job that asks for more history than the others gets a source of its own; one fetch serves all
 * jobs with the same depth. The same holds for submodules. Under `davit run` the source came with the
 * request.
 */
export async function withSources<T extends { spec: JobSpec }>(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: SourceJobs<T>,
): Promise<T[]> {
  const { trigger, jobs } = what;
  if (trigger.sourceBlob !== undefined) return [...jobs];
  const depth = deepest(jobs.map((one) => one.spec));
  const made = new Map<string, Promise<Pick<JobSpec, 'source' | 'submodules'>>>();
  const sourceOf = (spec: JobSpec): Promise<Pick<JobSpec, 'source' | 'submodules'>> | undefined => {
    const wanted = submodulesOf(spec);
    const own = depthOf(spec) === USUAL_DEPTH ? USUAL_DEPTH : depth;
    if (!wanted && own === USUAL_DEPTH) return undefined;
    const key = JSON.stringify([own, wanted]);
    const known = made.get(key) ?? ownSource(deps, project, { ...what, depth: own, wanted });
    made.set(key, known);
    return known;
  };
  const found: T[] = [];
  // One after the other: each fetch needs a process and a folder.
  for (const one of jobs) found.push({ ...one, spec: { ...one.spec, ...(await sourceOf(one.spec)) } });
  return found;
}

/**
 * Submodules that cannot be fetched fail only the jobs that ask for them; a forge that is unreachable is
 * asked again.
 */
async function ownSource(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: Omit<SourceJobs<unknown>, 'jobs'> & { depth: number; wanted: WantedSubmodules | undefined },
): Promise<Pick<JobSpec, 'source' | 'submodules'>> {
  const { trigger, signal, depth, wanted, allowHosts } = what;
  if (!wanted) return pick(await fetchSource(deps, project, { trigger, signal, depth }));
  // A repository that a fork names is read without credentials.
  const submodules = { ...wanted, credentials: !trigger.fork, allowHosts };
  try {
    const fetched = await fetchSource(deps, project, { trigger, signal, depth, submodules });
    return { ...pick(fetched), submodules: {} };
  } catch (error) {
    if (
      !(error instanceof DavitError) ||
      error.code === 'git/unreachable' ||
      !/^Submodule /.test(error.message)
    )
      throw error;
    const failure = `${error.message} ${error.hint}`;
    return { ...pick(await fetchSource(deps, project, { trigger, signal, depth })), submodules: { failure } };
  }
}

const pick = ({ source }: FetchedSource): Pick<JobSpec, 'source'> => ({ source });
