/** GIT_LFS_SKIP_SMUDGE: whether a job's source has the objects of Git LFS, or their pointers. Pure. */
import type { JobSpec } from '../model/spec.ts';

const WITH_SOURCE: readonly JobSpec['kind'][] = ['script', 'build'];

/** A value that is known on the host only is ignored: the source is made before. */
export function takesLfs({ kind, variables }: Pick<JobSpec, 'kind' | 'variables'>): boolean {
  if (!WITH_SOURCE.includes(kind)) return false;
  const text = (name: string): string => {
    const found = variables.find((one) => one.name === name);
    return found && !found.late && 'literal' in found.value ? found.value.literal.trim().toLowerCase() : '';
  };
  if (['none', 'empty'].includes(text('GIT_STRATEGY'))) return false;
  // What git-lfs takes for true.
  return !['true', '1', 'on', 'yes', 't'].includes(text('GIT_LFS_SKIP_SMUDGE'));
}
