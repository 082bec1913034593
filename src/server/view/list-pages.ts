/** Pages with lists of projects and pipelines, and the ones around them. Pure. */
import { pipelineCell } from '../../cli/view/status-labels.ts';
import { reasonText } from '../../plan/policy/waiting-text.ts';
import type { ProjectSlug } from '../../plan/model/ids.ts';
import type { PipelineSummary } from '../../plan/model/records.ts';
import { durationText } from '../../utils/duration.ts';
import { html, type Content, type Html } from './html.ts';
import { page, pipelinePath, projectLink, projectPath, stateMark, time, type Visitor } from './layout.ts';
import { iidOf } from './pipeline-page.ts';

const LIST_S = 20;

export interface ListView {
  visitor: Visitor;
  pipelines: readonly PipelineSummary[];
  /** Epoch ms. */
  now: number;
}

export const projectPage = (view: ListView, project: ProjectSlug): string =>
  page({
    title: `${project}: pipelines`,
    visitor: view.visitor,
    path: projectPath(project),
    place: [html`${project}`],
    refreshS: LIST_S,
    body: html`<h1>${project}</h1>${pipelineList(view)}`,
  });

export const projectsPage = (view: ListView, projects: readonly ProjectSlug[]): string =>
  page({
    title: 'davit: pipelines',
    visitor: view.visitor,
    path: '/pipelines/',
    refreshS: LIST_S,
    body: html`<h1>Projects</h1>${projects.length === 0 ? html`<p>There are none yet.</p>` : html`<ul class="list">${projects.map((one) => html`<li><span class="name">${projectLink(one)}</span></li>`)}</ul>`}<h2>Newest pipelines</h2>${pipelineList(view)}`,
  });

const pipelineList = ({ pipelines, now }: ListView): Html =>
  pipelines.length === 0
    ? html`<p>There are no pipelines yet.</p>`
    : html`<ul class="list">${pipelines.map((one) => pipelineItem(one, now))}</ul>`;

function pipelineItem(one: PipelineSummary, now: number): Html {
  // The pipeline's page says which pipeline it waits for, to who may see that one.
  const waits =
    one.endedAt === undefined ? one.waitingFor.filter((text) => !text.startsWith('downstream:')) : [];
  return html`<li><a class="name" href="${pipelinePath(one.id)}">${one.project} #${iidOf(one.id)}${one.title !== '' && `: ${one.title.slice(0, 120)}`}</a><span>${stateMark(pipelineCell(one))}</span>
<div class="more"><span><code>${one.ref}</code></span> <span><code>${one.sha.slice(0, 8)}</code></span> <span>${durationText((one.endedAt ?? now) - one.startedAt)}</span> <span>${time(one.startedAt)}</span>${waits.length > 0 && html` <span>${waits.slice(0, 5).map(reasonText).join(', ')}</span>`}</div></li>`;
}

/** What this server is, for who has only its address. */
export const rootPage = (visitor: Visitor): string =>
  page({
    title: 'davit',
    visitor,
    path: '/',
    body: html`<h1>davit</h1><p>This is a davit server: it builds, tests and deploys what is pushed to a forge.</p>
<p><a href="/pipelines/">Pipelines</a></p><p class="facts">On a command line: <code>davit pipelines</code>, <code>davit status</code>.</p>`,
  });

export interface LoginView {
  visitor: Visitor;
  /** Local path to go to afterwards. */
  to: string;
  problem?: string | undefined;
}
export const loginPage = ({ visitor, to, problem }: LoginView): string =>
  page({
    title: 'davit: log in',
    visitor,
    path: to,
    body: html`<h1>Log in</h1>${problem !== undefined && html`<div class="note bad">${problem}</div>`}
<p>This page needs a davit token: the one that <code>davit</code> uses as <code>DAVIT_TOKEN</code>. An operator gives it to you.</p>
<form class="entry" method="post" action="/login"><input type="hidden" name="to" value="${to}"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus><button>Log in</button></form>`,
  });

const AWAY_S = 10;

/** `away`: the same page may be there soon. */
export const problemPage = (
  visitor: Visitor,
  problem: { title: string; text: Content; path: string; away: boolean },
): string =>
  page({
    title: problem.title,
    visitor,
    path: problem.path,
    refreshS: problem.away ? AWAY_S : undefined,
    body: html`<h1>${problem.title}</h1><p>${problem.text}</p>`,
  });
