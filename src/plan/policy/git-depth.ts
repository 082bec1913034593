/** GIT_DEPTH: how much history a job's `.git` contains. Pure. */
import type { JobSpec } from '../model/spec.ts';

/** For jobs without GIT_DEPTH or with less: the default of GitLab's runners. */
export const USUAL_DEPTH = 20;
/** The whole history, with all branches and tags. */
export const WHOLE = 0;

/** Commits that the job asks for. A value that is not a number, or is known on the host only, is ignored. */
export function depthOf(spec: Pick<JobSpec, 'variables'>): number {
  const asked = spec.variables.find((one) => one.name === 'GIT_DEPTH');
  const text = asked && !asked.late && 'literal' in asked.value ? asked.value.literal.trim() : '';
  if (!/^\d{1,9}$/.test(text)) return USUAL_DEPTH;
  const depth = Number(text);
  return depth === WHOLE ? WHOLE : Math.max(depth, USUAL_DEPTH);
}

/** A depth that is enough for all of them. */
export function deepest(specs: readonly Pick<JobSpec, 'variables'>[]): number {
  const depths = specs.map(depthOf);
  return depths.includes(WHOLE) ? WHOLE : Math.max(USUAL_DEPTH, ...depths);
}
