import type {
  BlobStore,
  CommitFacts,
  LfsRequest,
  Secrets,
  Source,
  SubmoduleRequest,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import { deepest, depthOf, USUAL_DEPTH } from '../../src/plan/policy/git-depth.ts';
import type { JobSpec } from '../../src/plan/model/spec.ts';
import { takesLfs } from '../../src/plan/policy/lfs.ts';
import { submodulesOf, type WantedSubmodules } from '../../src/plan/policy/submodules.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

export interface FetchedSource {
  source: Digest;
  commit: CommitFacts;
}
/** Files whose content is a pointer of Git LFS. */
export interface SourceNotes {
  pointers?: string[];
}
const NAMED = 3;

/** An image that is built of pointers is wrong and looks right. */
export function lfsWarning(files: readonly string[]): string {
  const names = files.slice(0, NAMED).join(', ');
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
  return `Git LFS: ${names}${more} ${files.length === 1 ? 'is a pointer' : 'are pointers'} in this pipeline, because davit fetches LFS objects over https, from the host of the project alone. Give the project an https clone_url, or use \`git lfs pull\` in the script.`;
}

/** The pipeline's source as a blob: uploaded with the request, or fetched by its commit. */
export async function fetchSource(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: {
    trigger: Trigger;
    signal: AbortSignal;
    depth?: number;
    submodules?: SubmoduleRequest | undefined;
    lfs?: LfsRequest | undefined;
  },
): Promise<FetchedSource & SourceNotes> {
  const { trigger, signal, depth = USUAL_DEPTH, submodules, lfs } = what;
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
    ...(lfs && { lfs }),
  });
  const [stored] = await Promise.all([deps.blobs.putStream(fetched.tar), fetched.done]);
  return {
    source: stored.digest,
    commit: fetched.commit ?? factsOf(trigger),
    ...(fetched.lfs && { pointers: fetched.lfs }),
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
  /** Files that are pointers in the first source. */
  pointers: readonly string[];
  lfsBytes: number;
}
interface OwnSource {
  spec: Pick<JobSpec, 'source' | 'submodules' | 'lfs'>;
  /** That are left in it. */
  pointers: string[];
}

/**
 * GIT_DEPTH: a job that asks for more history than the others gets a source of its own; one fetch serves all
 * jobs with the same depth. The same holds for submodules and for objects of Git LFS. Under `davit run` the
 * source came with the request.
 */
export async function withSources<T extends { spec: JobSpec }>(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: SourceJobs<T>,
): Promise<{ jobs: T[]; warnings: string[] }> {
  const { trigger, jobs, pointers } = what;
  if (trigger.sourceBlob !== undefined) return { jobs: [...jobs], warnings: [] };
  const depth = deepest(jobs.map((one) => one.spec));
  const isWeb = /^https?:/.test(cloneUrl(project, trigger).url);
  const needsLfs = pointers.length > 0 && jobs.some(({ spec }) => takesLfs(spec));
  const made = new Map<string, Promise<OwnSource>>();
  const sourceOf = (spec: JobSpec): Promise<OwnSource> | undefined => {
    const wanted = submodulesOf(spec);
    const own = depthOf(spec) === USUAL_DEPTH ? USUAL_DEPTH : depth;
    // Whether submodules have some is seen in them.
    const lfs = isWeb && takesLfs(spec) && (needsLfs || wanted !== undefined);
    if (!wanted && !lfs && own === USUAL_DEPTH) return undefined;
    const key = JSON.stringify([own, wanted, lfs]);
    const known = made.get(key) ?? ownSource(deps, project, { ...what, depth: own, wanted, lfs });
    made.set(key, known);
    return known;
  };
  const found: T[] = [];
  const left = new Set(needsLfs && !isWeb ? pointers : []);
  // One after the other: each fetch needs a process and a folder.
  for (const one of jobs) {
    const own = await sourceOf(one.spec);
    if (own && takesLfs(one.spec)) for (const path of own.pointers) left.add(path);
    found.push({ ...one, spec: { ...one.spec, ...own?.spec } });
  }
  return { jobs: found, warnings: left.size > 0 ? [lfsWarning([...left])] : [] };
}

/** Parts of a source whose absence fails only the jobs that ask for them, by the beginning of the error. */
const PARTS = { submodules: /^Submodule /, lfs: /^Git LFS: / };

/** A forge that is unreachable is asked again, for the whole pipeline. */
async function ownSource(
  deps: { blobs: BlobStore; source: Source; secrets: Secrets },
  project: InstallationProject,
  what: Omit<SourceJobs<unknown>, 'jobs'> & {
    depth: number;
    wanted: WantedSubmodules | undefined;
    lfs: boolean;
  },
): Promise<OwnSource> {
  const { trigger, signal, depth, wanted, allowHosts, lfsBytes } = what;
  // What a fork names is read without credentials.
  const credentials = !trigger.fork;
  const parts: { submodules?: SubmoduleRequest; lfs?: LfsRequest } = {
    ...(wanted && { submodules: { ...wanted, credentials, allowHosts } }),
    ...(what.lfs && { lfs: { credentials, maxBytes: lfsBytes } }),
  };
  const failed: Pick<JobSpec, 'submodules' | 'lfs'> = {};
  for (;;)
    try {
      const fetched = await fetchSource(deps, project, { trigger, signal, depth, ...parts });
      const spec = { source: fetched.source, ...(wanted && { submodules: {} }), ...failed };
      return { spec, pointers: failed.lfs ? [] : (fetched.pointers ?? []) };
    } catch (error) {
      const part = failedPart(error);
      if (!(error instanceof DavitError) || !part || !parts[part]) throw error;
      failed[part] = { failure: `${error.message} ${error.hint}` };
      delete parts[part];
    }
}

function failedPart(error: unknown): keyof typeof PARTS | undefined {
  if (!(error instanceof DavitError) || error.code === 'git/unreachable') return undefined;
  return PARTS.submodules.test(error.message)
    ? 'submodules'
    : PARTS.lfs.test(error.message)
      ? 'lfs'
      : undefined;
}
