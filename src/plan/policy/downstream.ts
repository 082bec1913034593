/** What news of a downstream pipeline means for the job that started it. Pure. */
import type { DownstreamNews, DownstreamStatus } from '../model/downstream.ts';
import type { JobResult } from '../model/outcome.ts';

/** The status after some news; the same object if nothing changes. */
export function applyNews(known: DownstreamStatus, news: DownstreamNews): DownstreamStatus {
  const pipeline = known.pipeline ?? news.pipeline;
  if (news.pipeline !== undefined && news.pipeline !== pipeline) return known;
  switch (news.what) {
    case 'started':
      return { ...known, pipeline };
    case 'refused':
      return { ...known, pipeline, reason: news.reason, state: 'failed', ended: true };
    case 'revived':
      return { ...known, pipeline, created: true, ended: false, state: 'running', reason: undefined };
    case 'created':
    case 'state':
      return known.ended ? known : { ...known, pipeline, created: true, state: news.state ?? known.state };
    case 'ended':
      return { ...known, pipeline, ended: true, state: news.state ?? 'failed', reason: news.reason };
  }
}

/** While a mirrored pipeline waits for a person, so does its job. */
export const isBlocked = (known: DownstreamStatus | undefined): boolean =>
  known?.strategy === 'mirror' && !known.ended && known.state === 'manual';

type End = Pick<JobResult, 'outcome' | 'kind' | 'message'>;

/** How the trigger job ends; undefined: it continues to wait. */
export function endOf(known: DownstreamStatus): End | undefined {
  if (!known.created) return known.ended ? notCreated(known) : undefined;
  if (!known.strategy) return { outcome: 'succeeded' };
  if (!known.ended) return undefined;
  const where = `${known.pipeline ?? known.project}`;
  if (known.state === 'success') return { outcome: 'succeeded' };
  if (known.state === 'canceled') return { outcome: 'cancelled', message: `${where} was cancelled.` };
  if (known.state === 'skipped' && known.strategy === 'mirror')
    return { outcome: 'skipped', message: `${where} was skipped.` };
  const what = known.state === 'skipped' ? 'was skipped' : 'failed';
  return { outcome: 'failed', kind: 'downstream', message: sentence(`${where} ${what}`, known.reason) };
}

/** As in GitLab, the trigger job fails if the file has mistakes or its rules leave no job. */
const notCreated = ({ pipeline, project, reason, state }: DownstreamStatus): End =>
  state === 'canceled'
    ? { outcome: 'cancelled', message: `${pipeline ?? project} was cancelled before it had a plan.` }
    : {
        outcome: 'failed',
        kind: 'downstream',
        message: sentence(`The pipeline ${pipeline ?? `of ${project}`} could not be created`, reason),
      };

/** A reason may be many lines of diagnostics; the pipeline itself shows all of them. */
const sentence = (event: string, reason: string | undefined): string =>
  reason === undefined ? `${event}.` : `${event}: ${reason.split('\n', 1)[0]?.slice(0, 500) ?? ''}`;
