import { expect, test } from 'vitest';
import { archOf } from '../../../../../activities/job/context/job.ts';
import type { Arch } from '../../../../../src/plan/model/ids.ts';

/** The parts of a job that tell its architecture; its worker serves all of them. */
const jobOf = (
  taskQueue: string,
  { arch, tags = [] }: { arch?: Arch; tags?: string[] } = {},
): Parameters<typeof archOf>[0] => ({
  spec: { ...(arch && { arch }) },
  input: { tags },
  deps: { worker: { arches: ['arm32', 'arm64', 'amd64'] } },
  lease: { taskQueue },
});

test.each([
  ['amd64', jobOf('amd64')],
  ['arm64', jobOf('forks-arm64')],
  ['amd64', jobOf('forks-amd64')],
  ['arm64', jobOf('forks-amd64', { arch: 'arm64' })],
  ['arm64', jobOf('tag-fast', { tags: ['fast', 'arm64'] })],
  ['arm32', jobOf('forks-tag-fast')],
])('%s: the own one, that of the queue, also of forks, or the first of the worker', (arch, job) => {
  expect(archOf(job)).toBe(arch);
});
