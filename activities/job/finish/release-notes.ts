/** `release: description` may name a file of the project, which is read after the script has written it. */
import { expandLate } from '../../../src/compiler/variables/expand.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import type { Job } from '../context/job.ts';
import { readContainerFile } from '../../runtime/tar.ts';
import { broughtValues } from '../../runtime/brought-values.ts';
import { inside } from '../../runtime/path-inside.ts';

const MAX_BYTES = 1_024 * 1_024;

/**
 * Undefined if it is not a file: then it is the text itself. Rejects above 1 MiB, and as engine and store do.
 */
export async function releaseNotes(job: Job): Promise<Digest | undefined> {
  const { release, projectDir } = job.spec;
  if (!release) return undefined;
  const values = await broughtValues(job.spec, job.input, job.deps);
  const named = expandLate(release.description, values);
  const path = /^\S{1,1024}$/.test(named) ? inside(named) : undefined;
  if (!path) return undefined;
  const file = { container: job.name, path: `${projectDir}/${path}`, maxBytes: MAX_BYTES };
  const text = await readContainerFile(job.deps.engine, file);
  return text === undefined
    ? undefined
    : job.deps.blobs.putBytes(new TextEncoder().encode(job.log.masked(text)));
}
