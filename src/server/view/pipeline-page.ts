/** The page of one pipeline. Pure. */
import { jobCell, jobTime, pipelineCell, stateCell } from '../../cli/view/status-labels.ts';
import { waitingText } from '../../plan/policy/waiting-text.ts';
import { madeText } from '../../cli/view/status-view.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import { testsText } from '../../plan/model/outcome.ts';
import type { JobStatus, PipelineStatus } from '../../plan/model/protocol.ts';
import { durationText } from '../../utils/duration.ts';
import { html, type Content, type Html } from './html.ts';
import {
  artifactsPath,
  jobPath,
  outerLink,
  page,
  pipelineLink,
  pipelinePath,
  projectLink,
  projectOf,
  stateMark,
  time,
  type Visitor,
} from './layout.ts';

export interface ViewOf {
  status: PipelineStatus;
  visitor: Visitor;
  /** Epoch ms. */
  now: number;
}

const BUSY_S = 5;
/** Nothing moves until somebody decides. */
const WAITING_S = 20;

export const refreshOf = ({
  state,
  endedAt,
}: Pick<PipelineStatus, 'state' | 'endedAt'>): number | undefined =>
  endedAt !== undefined ? undefined : state === 'manual' || state === 'scheduled' ? WAITING_S : BUSY_S;

export function pipelinePage(view: ViewOf): string {
  const { status, visitor } = view;
  return page({
    title: `${pipelineCell(status).text}: ${status.id} ${status.ref}`,
    visitor,
    path: pipelinePath(status.id),
    place: [projectLink(status.project), html`#${iidOf(status.id)}`],
    refreshS: refreshOf(status),
    body: html`<h1>${status.title === '' ? status.id : status.title}</h1>${facts(view)}${notes(view)}${stages(view)}`,
  });
}

export const iidOf = (id: PipelineId): string => id.slice(id.lastIndexOf('/') + 1);

function facts({ status, visitor, now }: ViewOf): Html {
  const { upstream, cancelledBy } = status;
  const took = durationText((status.endedAt ?? now) - status.startedAt);
  return html`<p>${stateMark(pipelineCell(status))} <span class="facts">${took}</span></p>
<p class="facts"><span><code>${status.ref}</code></span><span><code>${status.sha.slice(0, 8)}</code></span><span>${status.source}</span>${status.protected && html`<span>protected</span>`}${status.fork && html`<span>of a fork</span>`}<span>${time(status.startedAt)}</span></p>
${upstream && visitor.sees(projectOf(upstream.pipeline)) && html`<p class="facts">started by ${upstream.job} of ${pipelineLink(upstream.pipeline)}</p>`}
${cancelledBy && html`<p class="facts">cancelled by ${cancelledBy.actor}</p>`}`;
}

function notes({ status }: ViewOf): Content {
  const reason = status.reason !== undefined && status.reason !== pipelineCell(status).text;
  return [
    reason ? html`<div class="note bad">${status.reason}</div>` : undefined,
    ...status.warnings.map((text) => html`<div class="note">${text}</div>`),
  ];
}

/** Jobs by stage, in the order of the plan. */
function stages(view: ViewOf): Content {
  const found = new Map<string, JobStatus[]>();
  for (const job of view.status.jobs) found.set(job.stage, [...(found.get(job.stage) ?? []), job]);
  return [...found].map(
    ([stage, jobs]) => html`<h2>${stage}</h2><ul class="list">${jobs.map((job) => jobItem(view, job))}</ul>`,
  );
}

/** The anchor is where the links of earlier versions lead. */
function jobItem(view: ViewOf, job: JobStatus): Html {
  const { status, now } = view;
  return html`<li id="${job.key}"><a class="name" href="${jobPath(status.id, job.key)}">${job.key}</a><span>${stateMark(jobCell(job))}</span>
<div class="more">${jobDetails(view, job, jobTime(job, now))}</div></li>`;
}

/** Time, machine, what it waits for or has made. */
export function jobDetails({ status, visitor }: ViewOf, job: JobStatus, took: string): Content {
  const { result, downstream, attempt } = job;
  const below = downstream?.pipeline;
  const hidden = downstream !== undefined && !visitor.sees(downstream.project);
  const isBelow = below !== undefined || job.waitingFor?.startsWith('downstream:');
  const waits = isBelow || hidden ? undefined : waitingText(status.id, job);
  const made = result?.message ?? madeText(job);
  const parts: Content[] = [
    took,
    result?.host,
    attempt > 1 && `attempt ${attempt}`,
    waits,
    below !== undefined &&
      !hidden &&
      html`${pipelineLink(below)} ${downstream?.state && stateCell(downstream.state).text}`,
    hidden || waits !== undefined
      ? undefined
      : result?.pages
        ? outerLink(result.pages.url, result.pages.url)
        : made,
    result?.tests && testsText(result.tests),
    result?.coverage !== undefined && `coverage ${result.coverage}%`,
    result?.artifacts &&
      html`<a href="${artifactsPath(status.id, job.key)}">${result.artifacts.exposeAs ?? 'artifacts'}</a>`,
    result?.reports && html`<a href="${artifactsPath(status.id, job.key, true)}">reports</a>`,
  ];
  return parts.map((one) =>
    one === undefined || one === false || one === '' ? undefined : html`<span>${one}</span> `,
  );
}
