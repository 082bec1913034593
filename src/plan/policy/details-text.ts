/**
 * The details of a pipeline in Temporal's UI, as Markdown. The UI shows the first lines without scrolling: what a person
 * has to know or do stands first. Pure.
 *
 * DETAILS-1 What people of a project have written is text: it never becomes a link or an image in the operators' UI.
 */
import type { JobStatus, PipelineInput, PipelineState, PipelineStatus } from '../model/protocol.ts';
import { storable } from '../model/text.ts';
import { cut } from './display-text.ts';
import { waitingText } from './waiting-text.ts';
import { isCause, jobEndText } from './workflow-end.ts';

/** Temporal's limit is 20,000. */
const DETAILS_BYTES = 18_000;
const ROWS = 100;
const NOTES = 20;
const STATE_WORDS: Partial<Record<PipelineState, string>> = {
  created: 'has no plan yet',
  manual: 'waits for a person',
  waiting_for_resource: 'waits for a lock',
  scheduled: 'waits for its time',
  canceled: 'cancelled',
  config_error: 'the file has errors',
};

/** A line of state, what needs attention, then each job. If there are too many, open jobs come first. */
export function detailsText(status: PipelineStatus): string {
  const { jobs, state, reason, upstream } = status;
  const open = jobs.filter((job) => job.phase !== 'ended');
  const ended = jobs.length - open.length;
  const head = `**${STATE_WORDS[state] ?? state}**${reason === undefined ? '' : `: ${plain(reason)}`}`;
  const count = jobs.length === 0 ? '' : `, ${ended} of ${jobs.length} jobs have ended`;
  const from = upstream ? `Started by ${plain(upstream.job)} of ${plain(upstream.pipeline)}` : '';
  const noted = [...open, ...jobs.filter((job) => job.phase === 'ended')].flatMap((job) => {
    const note = noteOf(status, job);
    return note === undefined ? [] : [`- **${plain(job.key)}** ${plain(note, 400)}`];
  });
  const notes = [...noted.slice(0, NOTES), ...rest(noted.length - NOTES)].join('\n');
  const rows = (jobs.length > ROWS ? [...open, ...jobs.filter((job) => job.phase === 'ended')] : jobs)
    .slice(0, ROWS)
    .map(row);
  const table = ['| job | state | attempt | waits for |', '|---|---|---|---|', ...rows].join('\n');
  const parts = [`${head}${count}`, notes, from, rows.length > 0 ? table : '', ...rest(jobs.length - ROWS)];
  return cut(parts.filter((part) => part !== '').join('\n\n'), DETAILS_BYTES);
}

/** What a pipeline started from; it never changes. */
export function startText({ id, number, trigger }: PipelineInput): string {
  const { project, ref, sha, title, actor, source } = trigger;
  return cut(
    [
      `Pipeline ${plain(id)} of ${plain(project)}, number ${number}: ${plain(title)}`,
      `${plain(source)} of ${plain(ref)} at ${sha} by ${plain(actor)}`,
      `\`davit status ${id}\` shows it, \`davit logs ${id}\` its logs, \`davit cancel ${id}\` ends it.`,
    ].join('\n\n'),
    DETAILS_BYTES,
  );
}

const rest = (count: number): string[] => (count > 0 ? [`and ${count} more`] : []);

/** What a person should know of the job; undefined where it goes its way. */
function noteOf({ id }: PipelineStatus, job: JobStatus): string | undefined {
  if (job.phase === 'ended') return isCause(job) ? wordsAfter(job.key, jobEndText(job)) : undefined;
  if (job.phase === 'created') return undefined;
  const { attempt, epoch, result } = job;
  const former =
    attempt > 1 && result ? `attempt ${attempt}, after ${wordsAfter(job.key, jobEndText(job))}` : '';
  const isAgain = epoch > 1 && job.phase !== 'gate' && (job.kind === 'script' || job.kind === 'apitest');
  const again = isAgain ? `was taken up again (dispatch ${epoch} of attempt ${attempt})` : '';
  const facts = [waitOf(id, job), former, again].filter((text) => text !== '');
  return facts.length > 0 ? facts.join('; ') : undefined;
}

function waitOf(id: PipelineStatus['id'], job: JobStatus): string {
  const text = waitingText(id, job) ?? '';
  if (job.phase === 'gate') return `waits for a person: ${text.replace(/^gate: /, '')}`;
  return job.phase === 'manual' ? `can be started: ${text}` : text;
}

const wordsAfter = (key: string, text: string): string => text.slice(key.length + 1);

const row = (job: JobStatus): string =>
  `| ${plain(job.key)} | ${job.outcome ?? job.phase} | ${job.attempt > 0 ? job.attempt : ''} | ${plain(job.waitingFor ?? job.downstream?.pipeline ?? '')} |`;

/** DETAILS-1. CommonMark 2.4: a backslash before punctuation makes it text. */
const plain = (text: string, bytes = 120): string =>
  cut(storable(text).replace(/\s+/g, ' '), bytes).replace(/[\\`*_[\]<>|&~#!]/g, '\\$&');
