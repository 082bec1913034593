/** The page of one job, with the end of its log. Pure. */
import { jobCell, jobTime } from '../../cli/view/status-labels.ts';
import type { JobStatus } from '../../plan/model/protocol.ts';
import { logHtml } from './colored-log.ts';
import { html, type Content, type Html } from './html.ts';
import { jobPath, logPath, page, pipelinePath, projectLink, stateMark } from './layout.ts';
import { iidOf, jobDetails, refreshOf, type ViewOf } from './pipeline-page.ts';

/** The end of an attempt's log. */
export interface LogTail {
  text: string;
  /** Bytes before it that are not shown. */
  before: number;
  complete: boolean;
}
export interface JobView extends ViewOf {
  job: JobStatus;
  /** The one whose log is shown. */
  attempt: number;
  /** Absent: there is none. */
  log?: LogTail | undefined;
}

export function jobPage(view: JobView): string {
  const { status, job, visitor, attempt, now } = view;
  const isOld = attempt < job.attempt;
  const here = `${jobPath(status.id, job.key)}${isOld ? `?attempt=${attempt}` : ''}`;
  const id = html`<a href="${pipelinePath(status.id)}">#${iidOf(status.id)}</a>`;
  return page({
    title: `${jobCell(job).text}: ${job.key}, ${status.id}`,
    visitor,
    path: here,
    place: [projectLink(status.project), id, html`${job.key}`],
    refreshS: isOld || job.phase === 'ended' ? undefined : refreshOf(status),
    body: html`<h1>${job.key}</h1>
<p>${stateMark(jobCell(job))} <span class="facts">${job.stage}</span></p>
<p class="facts">${jobDetails(view, job, jobTime(job, now))}</p>
${job.result?.warnings?.map((text) => html`<div class="note">${text}</div>`)}${decisions(job)}${attempts(view)}${logOf(view)}`,
  });
}

const decisions = (job: JobStatus): Content =>
  job.decisions.map(
    ({ actor, role, action, comment, answer }) =>
      html`<p class="facts">${actor} (${role}): ${action}${comment && ` "${comment}"`}${answer && `, ${answer}`}</p>`,
  );

/** Links to the logs of all attempts, if there are several. */
function attempts({ status, job, attempt }: JobView): Content {
  if (job.attempt < 2) return undefined;
  const all = Array.from({ length: job.attempt }, (_, index) => index + 1);
  const path = jobPath(status.id, job.key);
  return html`<p class="facts">Attempts: ${all.map((one) => (one === attempt ? html`<b>${one}</b> ` : html`<a href="${path}?attempt=${one}">${one}</a> `))}</p>`;
}

function logOf({ status, job, attempt, log }: JobView): Html {
  if (!log)
    return html`<p class="facts">${job.phase === 'ended' ? 'It has no log.' : 'It has no log yet.'}</p>`;
  const whole = html`<a href="${logPath(status.id, { job: job.key, attempt })}">the whole log as text</a>`;
  const before =
    log.before > 0 &&
    html`<p class="facts">The beginning is not shown (${Math.ceil(log.before / 1_024)} KiB).</p>`;
  return html`<p class="facts">Log${attempt < job.attempt && ` of attempt ${attempt}`}: ${whole}${!log.complete && html` <span class="yellow">(it is incomplete)</span>`}</p>${before}<pre class="log" id="log">${logHtml(log.text)}</pre>`;
}
