import type { JobUse, RegistryUse } from '../../src/adapters/ports.ts';
import type { CommonSpec } from '../../src/plan/model/spec.ts';
import type { RunInput } from '../contract.ts';

/** For what davit or a script does for this attempt; it counts until the attempt's log is closed. */
export const useOf = (
  { project, protectedRef, fork, local }: Pick<CommonSpec, 'project' | 'protectedRef' | 'fork' | 'local'>,
  { ref: { pipeline, job, attempt }, timeoutMs }: Pick<RunInput, 'ref' | 'timeoutMs'>,
): JobUse => ({
  job: { project, protectedRef, fork, ...(local && { local }) },
  attempt: { pipeline, job, attempt },
  forMs: timeoutMs,
});

/** For davit's own work, which writes these repositories; names have their registry, and may have a tag. */
export const workOf = (
  spec: Parameters<typeof useOf>[0],
  input: Parameters<typeof useOf>[1],
  names: readonly (string | undefined)[],
): RegistryUse => ({
  ...useOf(spec, input),
  writes: [...new Set(names.flatMap((name) => (name === undefined ? [] : [name.replace(/:[^:/]*$/, '')])))],
});
