/** `exists: project`: the files of other projects of this installation. */
import type { Secrets, Source } from '../src/adapters/ports.ts';
import { DavitError, type ErrorCode } from '../src/errors.ts';
import type { InstallationFacts } from '../src/installation.ts';
import type { Elsewhere } from '../src/pipeline/facts.ts';
import type { Trigger } from '../src/plan/trigger.ts';
import { cloneAuth } from './commit-status.ts';
import { listFiles } from './compile-pipeline-file.ts';

const NOT_THERE: readonly ErrorCode[] = ['git/no-commit', 'git/denied', 'git/bad-request'];
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

interface Deps {
  source: Source;
  secrets: Secrets;
  facts: InstallationFacts;
}

/**
 * By key; null for a project that the installation does not know, for a ref that it has not, and for everything that the
 * pipeline of a fork asks: who may not read a project must not learn what is in it.
 */
export async function filesElsewhere(
  deps: Deps,
  asked: readonly Elsewhere[],
  what: { trigger: Trigger; signal: AbortSignal },
): Promise<Record<string, string[] | null>> {
  const found: Record<string, string[] | null> = {};
  for (const one of asked) found[one.key] = what.trigger.fork ? null : await filesOf(deps, one, what.signal);
  return found;
}

async function filesOf(deps: Deps, asked: Elsewhere, signal: AbortSignal): Promise<string[] | null> {
  const project = deps.facts.config.projects.find(
    (one) => one.repository === asked.project || one.name === asked.project,
  );
  const url = project?.clone_url;
  if (!project || url === undefined) return null;
  const ref = asked.ref ?? project.default_branch;
  try {
    const auth = await cloneAuth(project, deps.secrets);
    const sha = COMMIT.test(ref) ? ref : await deps.source.head(url, ref, auth);
    if (sha === undefined) return null;
    const fetched = await deps.source.fetch({ url, sha, ref, depth: 1, auth, signal });
    const [files] = await Promise.all([listFiles(fetched.tar), fetched.done]);
    return files;
  } catch (error) {
    // An outage is tried again; what git says no to is told to the person who named it.
    if (error instanceof DavitError && NOT_THERE.includes(error.code)) return null;
    throw error;
  }
}
