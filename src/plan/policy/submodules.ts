/** GIT_SUBMODULE_STRATEGY and related variables: which submodules a job's source contains. Pure. */
import { depthOf, USUAL_DEPTH, WHOLE } from './git-depth.ts';
import type { JobSpec } from '../model/spec.ts';

export interface WantedSubmodules {
  recursive: boolean;
  /** GIT_SUBMODULE_PATHS; empty: all. */
  paths: string[];
  /** Commits; 0: the whole history. */
  depth: number;
}

/** Undefined for a job without submodules, or if that is known on the host only. */
export function submodulesOf(spec: Pick<JobSpec, 'variables'>): WantedSubmodules | undefined {
  const text = (name: string): string => {
    const found = spec.variables.find((one) => one.name === name);
    return found && !found.late && 'literal' in found.value ? found.value.literal.trim() : '';
  };
  const strategy = text('GIT_SUBMODULE_STRATEGY');
  if (strategy !== 'normal' && strategy !== 'recursive') return undefined;
  const own = text('GIT_SUBMODULE_DEPTH');
  const asked = /^\d{1,9}$/.test(own) ? Number(own) : depthOf(spec);
  return {
    recursive: strategy === 'recursive',
    paths: text('GIT_SUBMODULE_PATHS').split(/\s+/).filter(Boolean),
    depth: asked === WHOLE ? WHOLE : Math.min(asked, 1_000_000) || USUAL_DEPTH,
  };
}
