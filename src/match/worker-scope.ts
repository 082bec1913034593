/** Whose jobs a machine takes. Held by its worker, and by the server where the machine has a token of its own. Pure. */

export interface WorkerScope {
  /** Jobs of forks too. */
  forks: boolean;
  /** Jobs of protected refs alone. */
  protected_only: boolean;
  /** Jobs of these projects alone; absent: of all. */
  projects?: readonly string[] | undefined;
}
export interface JobOrigin {
  project: string;
  protectedRef: boolean;
  fork: boolean;
}

/** Why the machine takes no such job; undefined when it does. */
export function outOfScope(
  job: JobOrigin,
  { forks, protected_only, projects }: WorkerScope,
): string | undefined {
  if (job.fork && !forks) return 'This worker takes no jobs of forks.';
  if (protected_only && (job.fork || !job.protectedRef))
    return 'This worker takes jobs of protected refs only.';
  if (projects && !projects.includes(job.project)) return `This worker takes no jobs of ${job.project}.`;
  return undefined;
}
