/**
 * Whose jobs a worker takes, by its own configuration. The queue of a job decides most of it; this check is
 * made where it runs.
 */
import type { WorkerConfig } from '../../src/installation.ts';
import type { CommonSpec } from '../../src/plan/model/spec.ts';

export type WorkerScope = Pick<WorkerConfig, 'forks' | 'protected_only' | 'projects'>;

/** The reason why this worker requeues the job; undefined if it takes it. */
export function outOfScope(
  spec: Pick<CommonSpec, 'fork' | 'protectedRef' | 'project'>,
  { forks, protected_only, projects }: WorkerScope,
): string | undefined {
  if (spec.fork && !forks) return 'This worker takes no jobs of forks.';
  if (protected_only && (spec.fork || !spec.protectedRef))
    return 'This worker takes jobs of protected refs only.';
  if (projects && !projects.includes(spec.project)) return `This worker takes no jobs of ${spec.project}.`;
  return undefined;
}
