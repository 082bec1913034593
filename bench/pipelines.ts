/** The two measured pipelines, and the same work with plain `docker run`. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { repositoryOf, type OwnDavit } from '../test/support/davit.ts';
import type { PipelineStatus } from '../src/plan/model/protocol.ts';

const run = promisify(execFile);
const DEADLINE_MS = 300_000;

/** COUNT jobs that run `true`: each needs the one before it, or all start at once. */
export function repository(count: number, chained: boolean): string {
  const jobs = Array.from({ length: count }, (_, index) => {
    const needs = chained && index > 0 ? `[job${index - 1}]` : '[]';
    return `job${index}:\n  stage: run\n  image: $DAVIT_HELPER_IMAGE\n  needs: ${needs}\n  script: ["true"]\n`;
  });
  const folder = mkdtempSync(join(tmpdir(), 'davit-bench-'));
  try {
    writeFileSync(join(folder, '.gitlab-ci.yml'), `stages: [run]\n${jobs.join('')}`);
    return repositoryOf(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Measured {
  id: string;
  /** Epoch ms. */
  request: number;
  verdict: number;
  /** ms from the request to the verdict. */
  whole: number;
  /** ms from the start of the first job to the end of the last. */
  jobs: number;
}

/** Runs one pipeline of a repository. Rejects if it does not succeed. */
export async function measurePipeline(davit: OwnDavit, slug: string, folder: string): Promise<Measured> {
  const start = performance.now();
  const id = await davit.start(slug, folder);
  const status = await davit.verdict(id, DEADLINE_MS);
  const end = performance.now();
  if (status.state !== 'success') throw new Error(`${id} ended ${status.state}: ${status.reason ?? ''}`);
  const { timeOrigin } = performance;
  const at = { request: timeOrigin + start, verdict: timeOrigin + end };
  return { id, ...at, whole: end - start, jobs: jobsTime(status) };
}

function jobsTime(status: PipelineStatus): number {
  const ends = status.jobs.flatMap((job) => (job.result?.endedAt === undefined ? [] : [job.result.endedAt]));
  const starts = status.jobs.flatMap((job) =>
    job.result?.startedAt === undefined ? [] : [job.result.startedAt],
  );
  return Math.max(...ends) - Math.min(...starts);
}

/** The same number of containers in a shell loop, `width` at a time. ms. The event loop stays free. */
export async function measureDocker(image: string, count: number, width: number): Promise<number> {
  const loop = 'seq "$1" | xargs -P "$2" -I{} docker run --rm "$3" true';
  const start = performance.now();
  await run('sh', ['-c', loop, 'sh', String(count), String(width), image]);
  return performance.now() - start;
}
