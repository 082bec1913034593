/** Formats a pipeline as a table: jobs, what each waits for, decisions. Pure. */
import { testsText } from '../../plan/model/outcome.ts';
import type { JobStatus, PipelineStatus } from '../../plan/model/protocol.ts';
import { platformText } from '../../plan/model/spec.ts';
import { painted, table } from './table.ts';
import { plainText } from './terminal-text.ts';
import { quoted, waitingText } from '../../plan/policy/waiting-text.ts';
import { jobCell, jobTime, pipelineCell, stateCell } from './status-labels.ts';
import { durationText } from '../../utils/duration.ts';

export interface ViewOptions {
  color: boolean;
  /** Epoch ms. */
  now: number;
  /** Address of its page. */
  page?: string;
}

export function statusText(status: PipelineStatus, options: ViewOptions): string {
  const { color } = options;
  const state = pipelineCell(status);
  const took = durationText((status.endedAt ?? options.now) - status.startedAt);
  const head = `${painted(status.id, 'bold', color)}  ${painted(state.text, state.paint, color)}  ${took}\n`;
  const page = options.page === undefined ? '' : `  ${options.page}\n`;
  const { upstream } = status;
  const above = upstream ? `  started by ${plainText(upstream.job)} of ${upstream.pipeline}\n` : '';
  const subject = plainText(
    `${status.ref} ${status.sha.slice(0, 8)} ${status.title} (${status.source})`,
  ).replace(/\n/g, ' ');
  // The line above already shows `cancelled`.
  const reason = status.reason && status.reason !== state.text ? `\n${indented(status.reason)}\n` : '';
  const by = status.cancelledBy ? `  cancelled by ${plainText(status.cancelledBy.actor)}\n` : '';
  const warnings = [...status.warnings, ...jobWarnings(status)]
    .map((text) => `${painted('!', 'yellow', color)} ${plainText(text)}\n`)
    .join('');
  const jobs = status.jobs.length > 0 ? `\n${jobsTable(status, options)}` : '';
  const footer = decisionsText(status, color) + playableText(status);
  return `${head}  ${subject}\n${page}${above}${by}${reason}${warnings}${jobs}${footer}`;
}

/** What a job warns of stands here and not in its row, which has its result. */
const jobWarnings = ({ jobs }: PipelineStatus): string[] =>
  jobs.flatMap(({ key, result }) => (result?.warnings ?? []).map((text) => `${key}: ${text}`));

const indented = (text: string): string =>
  plainText(text)
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');

export function jobsTable(status: PipelineStatus, { color, now }: ViewOptions): string {
  const rows = status.jobs.map((job) => [
    job.stage,
    { text: job.key, paint: 'bold' as const },
    jobCell(job),
    jobTime(job, now),
    detailOf(status, job),
  ]);
  return table(['STAGE', 'JOB', 'STATE', 'TIME', ''], rows, color);
}

/** What the job waits for, else its message, else its results. */
function detailOf(status: PipelineStatus, job: JobStatus): string {
  const below = downstreamText(job);
  if (below) return below;
  const waits = waitingText(status.id, job);
  if (waits) return waits;
  const attempts = job.attempt > 1 ? `attempt ${job.attempt}` : '';
  const { result } = job;
  const made = result?.message ?? madeText(job);
  const tests = result?.tests ? testsText(result.tests) : '';
  const coverage = result?.coverage === undefined ? '' : `coverage ${result.coverage}%`;
  return [attempts, made, tests, coverage].filter((text) => text !== '').join(', ');
}

/** The downstream pipeline with its state; empty if there is none. */
function downstreamText({ downstream, result }: JobStatus): string {
  if (!downstream?.pipeline) return '';
  const state = downstream.state ? ` ${stateCell(downstream.state).text}` : '';
  const why = result?.outcome === 'succeeded' || !result?.message ? '' : `, ${plainText(result.message)}`;
  return `-> ${downstream.pipeline}${state}${why}`;
}

/** What the job has made, in short; empty if nothing. */
export function madeText({ result }: JobStatus): string {
  if (!result) return '';
  if (result.index)
    return `${result.index.repository}:${result.index.tags[0] ?? ''} ${result.index.digest.slice(0, 19)}`;
  if (result.image) return `${platformText(result.image.platform)} ${result.image.digest.slice(0, 19)}`;
  if (result.deployed) return `${result.deployed.service}: ${result.deployed.state}`;
  if (result.pages) return plainText(result.pages.url);
  if (result.release) return `release ${plainText(result.release.tag)}`;
  const { artifacts } = result;
  if (!artifacts) return '';
  return `${artifacts.exposeAs === undefined ? '' : `${plainText(artifacts.exposeAs)}: `}${artifacts.files} artifact ${artifacts.files === 1 ? 'file' : 'files'}`;
}

function decisionsText(status: PipelineStatus, color: boolean): string {
  const made = status.jobs.flatMap((job) => job.decisions.map((one) => ({ job, one })));
  const lines = made
    .sort((a, b) => (a.one.at ?? 0) - (b.one.at ?? 0))
    .map(({ job, one }) => {
      const time = one.at === undefined ? '' : ` ${new Date(one.at).toISOString().slice(0, 19)}Z`;
      const words = [one.comment ? `"${one.comment}"` : '', one.answer ?? ''].filter((text) => text !== '');
      return plainText(
        `${one.actor} (${one.role}): ${one.action} ${job.key}${time} ${words.join(', ')}`,
      ).replace(/\n/g, ' ');
    });
  return lines.length > 0
    ? `\n${painted('Decisions', 'dim', color)}\n${lines.map((line) => `  ${line}\n`).join('')}`
    : '';
}

/** Jobs that wait for a start or a decision. */
function playableText(status: PipelineStatus): string {
  const open = status.jobs.filter((job) => !job.outcome && (job.phase === 'manual' || job.phase === 'gate'));
  if (open.length === 0) return '';
  const lines = open.map((job) => {
    const verb = job.phase === 'gate' ? 'approve' : 'play';
    return `  davit ${verb} ${status.id} ${quoted(job.key)}\n`;
  });
  return `\nWaiting for a person:\n${plainText(lines.join(''))}`;
}
