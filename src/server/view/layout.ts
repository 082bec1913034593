/** The frame of each page, and links. Pure. */
import type { Cell } from '../../cli/view/table.ts';
import { parsePipelineId, type PipelineId, type ProjectSlug } from '../../plan/model/ids.ts';
import { html, Html, type Content } from './html.ts';
import { STYLE } from './style.ts';

/** Who looks at a page. */
export interface Visitor {
  /** Absent: nobody has logged in. */
  name?: string | undefined;
  /** Whether the visitor may see a project's pipelines. */
  sees(project: ProjectSlug): boolean;
}
export interface PageOptions {
  title: string;
  visitor: Visitor;
  /** Where the page is: links, outermost first. */
  place?: readonly Content[];
  /** The browser loads the page again after so many seconds. */
  refreshS?: number | undefined;
  /** Path of the page, to return to it after a login. */
  path: string;
  body: Content;
}

const STYLE_TEXT = Html.of([STYLE], []);

export function page({ title, visitor, place = [], refreshS, path, body }: PageOptions): string {
  const refresh = refreshS !== undefined && html`<meta http-equiv="refresh" content="${refreshS}">`;
  const text = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">${refresh}<title>${title}</title><style>${STYLE_TEXT}</style></head>
<body><header><nav><a href="/pipelines/">davit</a>${place.map((part) => html` / ${part}`)}</nav>${account(visitor, path)}</header>
<main>${body}</main>
${refreshS !== undefined && html`<footer>This page refreshes itself every ${refreshS} seconds.</footer>`}</body></html>
`;
  return text.toString();
}

const account = ({ name }: Visitor, path: string): Html =>
  name === undefined
    ? html`<a href="/login?to=${encodeURIComponent(path)}">Log in</a>`
    : html`<form method="post" action="/logout"><span>${name}</span><button>Log out</button></form>`;

const part = (text: string): string => encodeURIComponent(text.toWellFormed());
export const projectPath = (project: ProjectSlug): string => `/pipelines/${part(project)}`;
export const pipelinePath = (id: PipelineId): string => `/pipelines/${id.split('/').map(part).join('/')}`;
export const jobPath = (id: PipelineId, job: string): string => `${pipelinePath(id)}/jobs/${part(job)}`;
export const logPath = (id: PipelineId, { job, attempt }: { job: string; attempt: number }): string =>
  `${pipelinePath(id)}/log?job=${part(job)}&attempt=${attempt}`;
export const artifactsPath = (id: PipelineId, job: string, reports = false): string =>
  `${pipelinePath(id)}/artifacts?job=${part(job)}${reports ? '&reports=1' : ''}`;

export const projectOf = (id: PipelineId): ProjectSlug => parsePipelineId(id)?.slug ?? '';
export const projectLink = (project: ProjectSlug): Html =>
  html`<a href="${projectPath(project)}">${project}</a>`;
export const pipelineLink = (id: PipelineId): Html => html`<a href="${pipelinePath(id)}">${id}</a>`;

/** A link that is not this server's: only to where a browser may go without harm. */
export function outerLink(url: string, text: string): Html {
  const isWeb = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  return isWeb ? html`<a href="${url}" rel="noopener noreferrer nofollow">${text}</a>` : html`${text}`;
}

export const stateMark = ({ text, paint }: Cell): Html =>
  html`<span class="state ${paint === 'dim' ? 'dimmed' : (paint ?? '')}">${text}</span>`;

/** Epoch ms. */
export function time(ms: number): Html {
  const text = new Date(ms).toISOString();
  return html`<time datetime="${text}">${text.slice(0, 16).replace('T', ' ')} UTC</time>`;
}
