/**
 * Whether the pipeline belongs to a protected ref. The forge guarantees the commits of its own events, and
 * davit has looked up the commits of the reconciler and of other projects' trigger jobs itself. A commit that
 * a person names is searched in the ref: a developer who names `main` with the head of another branch gets an
 * unprotected pipeline.
 */
import type { Secrets, Source } from '../../src/adapters/ports.ts';
import { isProtected } from '../../src/compiler/variables/installation.ts';
import { refProtection } from '../../src/match/protected-refs.ts';
import type { ProjectWithRefs } from '../runtime/protected-refs.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

export interface Protection {
  protectedRef: boolean;
  /** The reason why a pipeline that names a protected ref is not protected. */
  warning?: string;
}

export async function protectionOf(
  deps: { source: Pick<Source, 'contains'>; secrets: Secrets },
  project: ProjectWithRefs,
  { trigger, signal }: { trigger: Trigger; signal: AbortSignal },
): Promise<Protection> {
  if (!isProtected(project, trigger)) return { protectedRef: false, ...unknownWarning(project, trigger) };
  if (trigger.sourceBlob !== undefined || !isNamedByPerson(trigger)) return { protectedRef: true };
  const url = project.clone_url;
  const { ref, sha, refKind } = trigger;
  const held =
    url !== undefined &&
    (await deps.source.contains({
      url,
      ref,
      sha,
      tag: refKind === 'tag',
      auth: await cloneAuth(project, deps.secrets),
      signal,
    }));
  if (held) return { protectedRef: true };
  const warning = `The ${refKind} ${ref} does not hold the commit ${sha.slice(0, 12)}, so this pipeline is not protected.`;
  return { protectedRef: false, warning };
}

function unknownWarning(
  project: ProjectWithRefs,
  { refKind, ref, fork }: Trigger,
): Pick<Protection, 'warning'> {
  if (fork || refProtection(project, refKind, ref) !== 'unknown') return {};
  return {
    warning: `The forge has not said whether the ${refKind} ${ref} is protected, so this pipeline is not protected. davit doctor says why; start the pipeline again afterwards.`,
  };
}

/** Child pipelines keep the commit and the role of the request that started their family. */
const isNamedByPerson = (trigger: Trigger): boolean =>
  trigger.role !== undefined && trigger.source !== 'pipeline' && trigger.upstream?.origin !== 'pipeline';
