/**
 * Finishes a job whose container has ended: verdict, artifacts, reports, the log's last lines, the result.
 */
import type { ContainerState } from '../../../src/adapters/ports.ts';
import { type JobResult, testsText } from '../../../src/plan/model/outcome.ts';
import { collectArtifacts } from '../files/artifacts.ts';
import { collectRequest } from '../files/collect-request.ts';
import { coverageOfLog } from './coverage.ts';
import { saveCaches } from '../cache/cache.ts';
import { collectDotenv } from './dotenv-report.ts';
import { saveEndNote } from './end-note.ts';
import { environmentUrl } from './environment-url.ts';
import { publishArtifacts } from './publish-artifacts.ts';
import type { Job } from '../context/job.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { bad, good, warning } from '../../runtime/log/log-lines.ts';
import { releaseNotes } from './release-notes.ts';
import { collectReports } from './reports.ts';
import { retryWhileStoreUnavailable } from '../../runtime/retry-policies.ts';
import { retryUntilStored } from '../context/store-retry.ts';
import { fillSpec } from '../start/resolved.ts';
import { EXIT_FILE, MEMORY_FILE } from '../start/supervisor-script.ts';
import { withMemoryKills } from '../sidecars/memory-kills.ts';
import { removeSidecars, copySystemUnderTestLog } from '../sidecars/system-under-test.ts';
import {
  type ExitNote,
  isDue,
  parseExitNote,
  type Verdict,
  verdictOf,
  verdictOfError,
} from '../container/verdict.ts';
import { messageOf } from '../../../src/utils/message.ts';
import { readContainerFile } from '../../runtime/tar.ts';

/**
 * How long the stores may be unreachable or full after the job's end before its log and files are given up;
 * shorter than the workflow's own hour.
 */
export const STORE_LIMIT_MS = 45 * 60_000;

/**
 * From the container's end to the result, in this order: the verdict, caches, the coverage of the log,
 * reports and artifacts, artifacts for other pipelines, the last lines of the log.
 */
export async function finish(job: Job, state: ContainerState, timedOut: boolean): Promise<JobResult> {
  const verdict = await withMemoryKills(job, await readEnd(job, state, timedOut));
  const lines = await fillOpen(job);
  lines.push(...(await saveCaches(job, state.labels, verdict)));
  const coverage = await coverageOf(job, lines);
  const kept = await keepAll(job, verdict);
  removeBeside(job);
  const result = { ...resultOf(job, state, kept), ...(coverage !== undefined && { coverage }) };
  const untold = await publish(job, result);
  if (untold !== undefined) result.warnings = [...(result.warnings ?? []), untold];
  return conclude(job, result, lines);
}

/** For the caches, which fail no job: a path that cannot be filled in matches nothing. Artifacts need it filled in. */
async function fillOpen(job: Job): Promise<string[]> {
  try {
    await fillSpec(job);
    return [];
  } catch (error) {
    return [warning(`Paths with variables could not be filled in: ${messageOf(error)}`)];
  }
}

/** How the container ended; missing parts of its log are noted there. */
async function readEnd(job: Job, state: ContainerState, timedOut: boolean): Promise<Verdict> {
  const note = await exitNote(job, state, timedOut);
  const unread = note !== undefined && !note.full && isUnread(job, state, note);
  if (note?.full) sayFull(job);
  if (unread) sayUnread(job);
  return verdictOf(state, note, { timeoutMs: job.input.timeoutMs, timedOut, unread });
}

/** Reports and artifacts, then the environment's URL and the release notes, which need them. */
async function keepAll(job: Job, verdict: Verdict): Promise<Kept & { environmentUrl?: string }> {
  const files = await keep(job, verdict);
  const { outcome } = files.verdict;
  if (outcome !== 'succeeded') await copySystemUnderTestLog(job);
  const url = await environmentUrl(job, { outcome, dotenv: files.dotenv }, files.warnings);
  const notes = await orFailed(files.verdict, () =>
    retryUntilStored(job, () => notesFor(job, files.verdict)),
  );
  return {
    ...files,
    verdict: notes.verdict,
    ...(notes.releaseNotes && { releaseNotes: notes.releaseNotes }),
    ...(url !== undefined && { environmentUrl: url }),
  };
}

/** Omits fields without a value: a result is stored in workflow history. */
function resultOf(
  job: Job,
  state: ContainerState,
  { verdict, warnings, ...files }: Kept & { environmentUrl?: string },
): JobResult {
  return {
    ...verdict,
    host: job.deps.worker.hostId,
    startedAt: state.startedAt || job.startedAt,
    endedAt: state.finishedAt || job.deps.now(),
    started: true,
    ...files,
    ...(warnings.length > 0 && { warnings }),
  };
}

/** Offers the files to other pipelines. Returns a warning if the store rejects that. */
async function publish(job: Job, result: JobResult): Promise<string | undefined> {
  const { records, logs } = job.deps;
  const { ref } = job.input;
  const store = {
    put: <T>(name: string, value: T) => retryUntilStored(job, () => records.put(name, value)),
  };
  // A dispatch that is followed by another one publishes nothing: its files would replace the later ones.
  if (job.spec.gives) await retryUntilStored(job, () => logs.open(ref, ref.epoch));
  return publishArtifacts({ records: store, spec: job.spec, ref }, result);
}

/** The engine drops lines that it cannot write, and reports that only in its own log. */
function sayFull({ deps, log }: Job): void {
  log.recordsEnded();
  log.lost(`The disk of ${deps.worker.hostName} is full: lines of this log may be missing.`);
  deps.background(deps.freeDiskSpace());
}

/** Exit code that Docker 28 and 29 report for a container that ended while they were down. */
const UNKNOWN_EXIT = 255;

/** The supervisor reached its end and its last line is missing; a killed supervisor writes none. */
const isUnread = ({ log }: Job, state: ContainerState, note: ExitNote): boolean =>
  state.labels[LABELS.marked] === 'true' &&
  (state.exitCode === note.code || state.exitCode === UNKNOWN_EXIT) &&
  !log.ended &&
  !log.endRead;

function sayUnread({ deps, log }: Job): void {
  log.recordsEnded();
  log.lost(
    `The engine of ${deps.worker.hostName} was down when the container ended: lines of this log are missing.`,
  );
}

/** A file that cannot be read is reported and causes no failure. */
async function coverageOf({ spec, deps, log, input }: Job, notes: string[]): Promise<number | undefined> {
  if (spec.coverage === undefined) return undefined;
  try {
    log.recordsEnded();
    await log.flush();
    return await coverageOfLog(deps.logs, input.ref, spec.coverage);
  } catch (error) {
    const why = messageOf(error);
    notes.push(warning(`The coverage could not be read from the log: ${why}`));
    return undefined;
  }
}

/** For a job that ended without its script, result and log both name the reason. */
export async function finishWithout(job: Job, error: unknown, started: boolean): Promise<JobResult> {
  removeBeside(job);
  const verdict = verdictOfError(error);
  const result: JobResult = {
    ...verdict,
    ...(verdict.message !== undefined && { message: job.log.masked(verdict.message) }),
    host: job.deps.worker.hostId,
    startedAt: job.startedAt,
    endedAt: job.deps.now(),
    started,
  };
  const { signal } = job.storeLimit;
  // If the store stays unreachable, the result is still reported; only its repetition is lost.
  await limited(job, () =>
    retryWhileStoreUnavailable(signal, () => saveEndNote(job.deps, job.name, result)),
  ).catch(() => undefined);
  return conclude(job, result);
}

/** The end that is in the store, and perhaps not in Temporal. */
export async function finishNoted(job: Job, result: JobResult): Promise<JobResult> {
  return job.log.ended ? { ...result, log: job.log.ended } : conclude(job, result);
}

/** The job has not succeeded yet: the steps after the script are still open. */
function following(spec: Job['spec']): string | undefined {
  if (spec.release)
    return 'The script succeeded. The release is created next; the status of the job shows the result.';
  if (spec.pages)
    return 'The script succeeded. The site is published next; the status of the job shows the result.';
  return undefined;
}

/** Writes the last lines and closes the log. Messages for people are masked. */
async function conclude(job: Job, result: JobResult, notes: readonly string[] = []): Promise<JobResult> {
  const { log, storeLimit } = job;
  log.recordsEnded();
  if (result.coverage !== undefined) log.say(`Coverage: ${result.coverage}%`);
  for (const text of notes) log.say(text);
  for (const text of result.warnings ?? []) log.say(warning(text));
  if (result.artifacts) log.say(`Artifacts: ${result.artifacts.files} files kept`);
  if (result.tests) log.say(`Tests: ${testsText(result.tests)}`);
  const next = result.outcome === 'succeeded' ? following(job.spec) : undefined;
  if (next !== undefined) log.say(next);
  else log.say(result.outcome === 'succeeded' ? good('Job succeeded') : bad(`Job failed: ${result.message}`));
  const message = result.message === undefined ? {} : { message: log.masked(result.message) };
  try {
    return { ...result, ...message, log: await limited(job, () => log.end()) };
  } catch (error) {
    if (!storeLimit.signal.aborted) throw error;
    const warnings = [...(result.warnings ?? []), 'The log store did not answer; the log is incomplete.'];
    return { ...result, ...message, warnings };
  }
}

/** Ends all retries of requests to the stores after `STORE_LIMIT_MS`. */
async function limited<T>({ storeLimit }: Job, work: () => Promise<T>): Promise<T> {
  const limit = setTimeout(() => storeLimit.abort(new Error('the store did not answer')), STORE_LIMIT_MS);
  try {
    return await work();
  } finally {
    clearTimeout(limit);
  }
}

function removeBeside(job: Job): void {
  if (job.spec.kind === 'apitest' || job.spec.services.length > 0) job.deps.background(removeSidecars(job));
}

/**
 * The supervisor exits with 0 only if the script did, so the note need not be read then. But an image's own
 * entrypoint may exit with 0 without running the script.
 */
async function exitNote(job: Job, state: ContainerState, timedOut: boolean): Promise<ExitNote | undefined> {
  const { engine } = job.deps;
  if (state.exitCode === 0 && !timedOut && !state.oomKilled) {
    const known = job.image?.id === state.image ? job.image : undefined;
    const info = known ?? (await engine.inspectImage(state.image));
    const own = job.spec.image.entrypoint ?? info?.entrypoint ?? [];
    if (own.every((word) => word === '')) return { code: 0, stopped: false };
  }
  const text = await readContainerFile(engine, { container: job.name, path: EXIT_FILE, maxBytes: 64 });
  const note = text === undefined ? undefined : parseExitNote(text);
  if (!note || note.code === 0 || state.oomKilled) return note;
  const kills = await readContainerFile(engine, { container: job.name, path: MEMORY_FILE, maxBytes: 64 });
  return { ...note, memoryKills: Number(/^\d{1,9}$/.exec(kills?.trim() ?? '')?.[0] ?? 0) };
}

type Kept = { verdict: Verdict; warnings: string[] } & Pick<
  JobResult,
  'artifacts' | 'dotenv' | 'reports' | 'tests' | 'releaseNotes'
>;

async function notesFor(job: Job, { outcome }: Verdict): Promise<Omit<Kept, 'verdict'>> {
  if (outcome !== 'succeeded') return { warnings: [] };
  return { warnings: [], releaseNotes: await releaseNotes(job) };
}

/**
 * Stores reports whatever the verdict, and artifacts as `when` demands. A failure to store one fails a job
 * that had succeeded, and keeps the other.
 */
async function keep(job: Job, verdict: Verdict): Promise<Kept> {
  if (!job.spec.artifacts) return { verdict, warnings: [] };
  const reported = await orFailed(verdict, () =>
    retryUntilStored(job, () => fillSpec(job).then(() => keepReports(job))),
  );
  const kept = await orFailed(reported.verdict, () =>
    retryUntilStored(job, () => fillSpec(job).then(() => keepArtifacts(job, verdict))),
  );
  return { ...reported, ...kept, warnings: [...reported.warnings, ...kept.warnings] };
}

async function orFailed(verdict: Verdict, work: () => Promise<Omit<Kept, 'verdict'>>): Promise<Kept> {
  try {
    return { verdict, ...(await work()) };
  } catch (error) {
    const failed = verdictOfError(error);
    if (verdict.outcome === 'succeeded') return { verdict: failed, warnings: [] };
    return { verdict, warnings: [`The job's files could not be kept: ${failed.message}`] };
  }
}

async function keepReports(job: Job): Promise<Omit<Kept, 'verdict'>> {
  const wanted = job.spec.artifacts;
  if (!wanted) return { warnings: [] };
  const { reports, tests, warnings } = await collectReports(collectRequest(job), wanted);
  const dotenv = await collectDotenv(collectRequest(job), wanted.dotenv ?? []);
  return {
    ...(reports && { reports: { ...reports, ...(wanted.access && { access: wanted.access }) } }),
    ...(tests && { tests }),
    ...(dotenv.digest && { dotenv: dotenv.digest }),
    warnings: [...warnings, ...dotenv.warnings],
  };
}

async function keepArtifacts(job: Job, verdict: Verdict): Promise<Omit<Kept, 'verdict'>> {
  const wanted = job.spec.artifacts;
  const asked = wanted && (wanted.paths.length > 0 || wanted.untracked);
  if (!asked || !isDue(wanted.when, verdict)) return { warnings: [] };
  const { artifact, warnings } = await collectArtifacts({ ...collectRequest(job), spec: wanted });
  if (!artifact) return { warnings };
  const { access, exposeAs } = wanted;
  const artifacts = { ...artifact, ...(access && { access }), ...(exposeAs !== undefined && { exposeAs }) };
  return { artifacts, warnings };
}
