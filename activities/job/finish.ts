/** What becomes of a job whose container has ended: verdict, artifacts, reports, the log's last lines, the result. */
import type { ContainerState } from '../../src/adapters/ports.ts';
import type { ArtifactRef, JobResult } from '../../src/plan/outcome.ts';
import { collectArtifacts } from './artifacts.ts';
import { keepCaches } from './cache.ts';
import { collectDotenv } from './dotenv.ts';
import type { Job } from './job.ts';
import { bad, good, warning } from './lines.ts';
import { EXIT_FILE } from './supervisor.ts';
import { readContainerFile } from './tar-read.ts';
import { removeCompany, sayTestedLog } from './tested.ts';
import { type ExitNote, isDue, parseExitNote, type Verdict, verdictOf, verdictOfError } from './verdict.ts';

/** The log store may be away for so long after the job's end before its log is given up. */
const LOG_LIMIT_MS = 10 * 60_000;

export async function finish(job: Job, state: ContainerState, timedOut: boolean): Promise<JobResult> {
  const note = await exitNote(job, state, timedOut);
  const verdict = verdictOf(state, note, { timeoutMs: job.input.timeoutMs, timedOut });
  const notes = await keepCaches(job, state.labels, verdict);
  const kept = await keep(job, verdict);
  if (kept.verdict.outcome !== 'succeeded') await sayTestedLog(job);
  removeBeside(job);
  const result: JobResult = {
    ...kept.verdict,
    host: job.deps.worker.hostId,
    startedAt: state.startedAt || job.startedAt,
    endedAt: state.finishedAt || Date.now(),
    started: true,
    ...(kept.artifacts && { artifacts: kept.artifacts }),
    ...(kept.dotenv && { dotenv: kept.dotenv }),
    ...(kept.warnings.length > 0 && { warnings: kept.warnings }),
  };
  return conclude(job, result, notes);
}

/** A job that ended without its script: the result says why, and so does the log. */
export async function finishWithout(job: Job, error: unknown, started: boolean): Promise<JobResult> {
  removeBeside(job);
  const now = Date.now();
  return conclude(job, {
    ...verdictOfError(error),
    host: job.deps.worker.hostId,
    startedAt: job.startedAt,
    endedAt: now,
    started,
  });
}

/** Last lines, end of the log. What is said to people is masked. */
async function conclude(job: Job, result: JobResult, notes: readonly string[] = []): Promise<JobResult> {
  const { log, logLimit } = job;
  log.recordsEnded();
  for (const text of notes) log.say(text);
  for (const text of result.warnings ?? []) log.say(warning(text));
  if (result.artifacts) log.say(`Artifacts: ${result.artifacts.files} files kept`);
  log.say(result.outcome === 'succeeded' ? good('Job succeeded') : bad(`Job failed: ${result.message}`));
  const limit = setTimeout(() => logLimit.abort(new Error('the log store did not answer')), LOG_LIMIT_MS);
  const message = result.message === undefined ? {} : { message: log.masked(result.message) };
  try {
    return { ...result, ...message, log: await log.end() };
  } catch (error) {
    if (!logLimit.signal.aborted) throw error;
    const warnings = [...(result.warnings ?? []), 'The log store did not answer; the log is incomplete.'];
    return { ...result, ...message, warnings };
  } finally {
    clearTimeout(limit);
  }
}

function removeBeside(job: Job): void {
  if (job.spec.kind === 'apitest' || job.spec.services.length > 0) job.deps.background(removeCompany(job));
}

/**
 * The supervisor ends with 0 only when the script did, so the note need not be read then; but an image's own entrypoint may
 * have ended with 0 without ever running it.
 */
async function exitNote(job: Job, state: ContainerState, timedOut: boolean): Promise<ExitNote | undefined> {
  const { engine } = job.deps;
  if (state.exitCode === 0 && !timedOut && !state.oomKilled) {
    const info = await engine.inspectImage(state.image);
    const own = job.spec.image.entrypoint ?? info?.entrypoint ?? [];
    if (own.every((word) => word === '')) return { code: 0, stopped: false };
  }
  const text = await readContainerFile(engine, { container: job.name, path: EXIT_FILE, maxBytes: 64 });
  return text === undefined ? undefined : parseExitNote(text);
}

interface Kept {
  verdict: Verdict;
  artifacts?: ArtifactRef;
  dotenv?: JobResult['dotenv'];
  warnings: string[];
}

/** Artifacts as `when` says, reports whatever the verdict; failing to keep them fails a job that had succeeded. */
async function keep(job: Job, verdict: Verdict): Promise<Kept> {
  const { deps, spec, name } = job;
  const wanted = spec.artifacts;
  if (!wanted) return { verdict, warnings: [] };
  const from = { engine: deps.engine, blobs: deps.blobs, container: name, projectDir: spec.projectDir };
  try {
    const collected = isDue(wanted.when, verdict)
      ? await collectArtifacts({
          ...from,
          source: spec.source,
          spec: wanted,
          maxBytes: deps.facts.config.limits.artifact_bytes,
        })
      : { warnings: [] };
    const report = await collectDotenv(from, wanted.dotenv ?? []);
    return {
      verdict,
      artifacts: 'artifact' in collected ? collected.artifact : undefined,
      dotenv: report.digest,
      warnings: [...collected.warnings, ...report.warnings],
    };
  } catch (error) {
    const failed = verdictOfError(error);
    if (verdict.outcome === 'succeeded') return { verdict: failed, warnings: [] };
    return { verdict, warnings: [`The job's files could not be kept: ${failed.message}`] };
  }
}
