/**
 * Whether the pipeline belongs to a protected ref. The forge guarantees the commits of its own events, and
 * davit has looked up the commits of the reconciler and of other projects' trigger jobs itself. A commit that
 * a person names is searched in the ref: a developer who names `main` with the head of another branch gets an
 * unprotected pipeline.
 */
import type { Secrets, Source } from '../../src/adapters/ports.ts';
import { isProtected } from '../../src/compiler/variables/installation.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

export interface Protection {
  protectedRef: boolean;
  /** The reason why a pipeline that names a protected ref is not protected. */
  warning?: string;
}

export async function protectionOf(
  deps: { source: Pick<Source, 'contains'>; secrets: Secrets },
  project: InstallationProject,
  { trigger, signal }: { trigger: Trigger; signal: AbortSignal },
): Promise<Protection> {
  if (!isProtected(project, trigger)) return { protectedRef: false };
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

/** Child pipelines keep the commit and the role of the request that started their family. */
const isNamedByPerson = (trigger: Trigger): boolean =>
  trigger.role !== undefined && trigger.source !== 'pipeline' && trigger.upstream?.origin !== 'pipeline';
