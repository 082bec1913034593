/** Requests of people and forges to the server; requests and responses are recorded in the history. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { FINAL_STATES, type PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../src/plan/model/records.ts';
import { push, deliver } from '../support/deliveries.ts';
import { tarOf } from '../support/job-stores.ts';
import type { Answer, History, Random } from './history.ts';
import type { Profile } from './profile.ts';

const CALL_MS = 20_000;
/** The context of everything that one row does, while others run at the same time. */
export interface Scope {
  /** Aborted: nothing waits for the row's outcome any more. */
  signal: AbortSignal;
  /** For its pipelines; default: the profile's. */
  deadlineMs?: number;
  /** Pipelines that it has started. */
  ids: Set<string>;
  /** Its choices; the world's. */
  random?: Random;
}
export const scope = new AsyncLocalStorage<Scope>();
export class Break extends Error {
  override readonly name = 'Break';
}

export interface Sent {
  answer: Answer;
  code: number | undefined;
  body: Record<string, unknown>;
}

export class Client {
  readonly #server: string;
  readonly #token: string;
  readonly #history: History;
  readonly #waitMs: number;
  readonly #deadlineMs: number;
  readonly tracked = new Map<string, { ended?: string; state?: string }>();

  constructor(of: {
    server: string;
    token: string;
    history: History;
    profile: Pick<Profile, 'waitMs' | 'deadlineMs'>;
  }) {
    this.#server = of.server;
    this.#token = of.token;
    this.#history = of.history;
    this.#waitMs = of.profile.waitMs;
    this.#deadlineMs = of.profile.deadlineMs;
  }

  /** No response is `unknown`, and so is a 5xx: the server may have done it. */
  async send(path: string, init: RequestInit = {}): Promise<Sent> {
    const headers = { authorization: `Bearer ${this.#token}`, ...(init.headers as Record<string, string>) };
    try {
      const signal = AbortSignal.timeout(CALL_MS);
      const response = await fetch(`${this.#server}${path}`, { ...init, headers, signal });
      const text = await response.text();
      const body = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : { text };
      const answer = response.ok ? 'ok' : response.status >= 500 ? 'unknown' : 'refused';
      return { answer, code: response.status, body };
    } catch {
      return { answer: 'unknown', code: undefined, body: {} };
    }
  }

  post(path: string, body: object): Promise<Sent> {
    const headers = { 'content-type': 'application/json' };
    return this.send(path, { method: 'POST', body: JSON.stringify(body), headers });
  }

  /** Retries until there is a success; throws errors that are not temporary. */
  async get<T>(path: string, deadlineMs = 60_000): Promise<T> {
    const end = Date.now() + deadlineMs;
    for (;;) {
      scope.getStore()?.signal.throwIfAborted();
      const sent = await this.send(path);
      if (sent.answer === 'ok') return sent.body as T;
      if (sent.answer === 'refused' || Date.now() > end)
        throw new Error(`${path}: ${sent.code} ${JSON.stringify(sent.body).slice(0, 300)}`);
      await delay(100);
    }
  }

  /** Starts a pipeline of this file and returns its id; sent again, with the same key, until it is known. */
  async start(
    project: string,
    yaml: string,
    of: { deadlineMs?: number; files?: Record<string, string> } = {},
  ): Promise<string> {
    const key = `request:${randomUUID()}`;
    const sha = randomUUID().replaceAll('-', '').padEnd(40, '0');
    const tar = await tarOf({ '.gitlab-ci.yml': yaml, 'README.md': 'hello\n', ...of.files });
    const end = Date.now() + 60_000;
    let digest: unknown;
    while (digest === undefined) {
      scope.getStore()?.signal.throwIfAborted();
      const headers = { 'content-type': 'application/octet-stream' };
      const sent = await this.send('/api/v1/blobs', { method: 'POST', body: new Uint8Array(tar), headers });
      digest = sent.body.digest;
      if (digest === undefined && Date.now() > end) throw new Error('the source could not be sent');
    }
    const request = { key, source: 'api', ref: 'main', refKind: 'branch', sha, before: '0'.repeat(40) };
    const body = JSON.stringify({ ...request, title: 'a fault', sourceBlob: digest });
    let sentKey: unknown;
    while (sentKey === undefined) {
      scope.getStore()?.signal.throwIfAborted();
      const headers = { 'content-type': 'application/json' };
      const sent = await this.send(`/api/v1/projects/${project}/pipelines`, {
        method: 'POST',
        body,
        headers,
      });
      this.#history.add({ type: 'trigger', project, key, sha, answer: sent.answer, code: sent.code });
      if (sent.answer === 'refused') throw new Error(`start: ${sent.code} ${JSON.stringify(sent.body)}`);
      sentKey = sent.body.key;
      if (sentKey === undefined) await delay(100);
    }
    const id = await this.pipelineOf(project, String(sentKey), of.deadlineMs);
    if (/^\s+retry:/m.test(yaml)) this.#history.add({ type: 'retries', id });
    return id;
  }

  async pipelineOf(project: string, key: string, deadlineMs?: number): Promise<string> {
    const path = `/api/v1/projects/${project}/requests/${encodeURIComponent(key)}`;
    const id = await this.until(`the pipeline of ${key}`, this.#waitMs, async () => {
      const { body } = await this.send(path);
      return typeof body.pipeline === 'string' ? body.pipeline : undefined;
    });
    const status = await this.get<PipelineStatus>(`/api/v1/pipelines/${id}`);
    this.track(id, status.sha, deadlineMs);
    return id;
  }

  track(id: string, sha: string, deadlineMs = scope.getStore()?.deadlineMs ?? this.#deadlineMs): void {
    scope.getStore()?.ids.add(id);
    if (this.tracked.has(id)) return;
    this.tracked.set(id, {});
    this.#history.add({ type: 'pipeline', id, project: id.split('/')[0] ?? '', sha, deadlineMs });
  }

  /** A delivery of GitLab for project `hook`. */
  async deliverPush(of: { before: string; after: string; secret: string; id?: string }): Promise<Sent> {
    const { event, payload } = push('gitlab', { ...of, repository: 'group/hook' });
    const delivery = deliver('gitlab', event, { payload, secret: of.secret });
    const headers = {
      ...delivery.headers,
      ...(of.id && { 'x-gitlab-event-uuid': of.id }),
      authorization: '',
    };
    const sent = await this.send('/webhooks/gitlab/hook', { method: 'POST', body: delivery.body, headers });
    this.#history.add({
      type: 'trigger',
      project: 'hook',
      key: `push:refs/heads/main:${of.before}:${of.after}`,
      sha: of.after,
      answer: sent.answer,
      code: sent.code,
    });
    return sent;
  }

  async decide(id: string, job: string, action: 'play' | 'reject' | 'retry' | 'cancelJob'): Promise<Sent> {
    const askedAt = this.#history.now();
    const sent = await this.send(`/api/v1/pipelines/${id}/decisions`, {
      method: 'POST',
      body: JSON.stringify({ action, job }),
      headers: { 'content-type': 'application/json' },
    });
    this.#history.add({ type: 'decision', id, job, action, answer: sent.answer, askedAt });
    // Only a person's retry starts it again: an ended pipeline may then have another outcome.
    if (action === 'retry' && sent.answer === 'ok') this.#history.add({ type: 'again', id });
    return sent;
  }
  async cancel(id: string): Promise<Sent> {
    const askedAt = this.#history.now();
    const sent = await this.send(`/api/v1/pipelines/${id}/cancel`, { method: 'POST' });
    this.#history.add({ type: 'decision', id, job: '', action: 'cancel', answer: sent.answer, askedAt });
    return sent;
  }

  /** The API's current status; undefined if it does not respond. */
  async status(id: string): Promise<PipelineStatus | undefined> {
    const { answer, body } = await this.send(`/api/v1/pipelines/${id}`);
    if (answer !== 'ok') return undefined;
    const status = body as unknown as PipelineStatus;
    const ended = FINAL_STATES.includes(status.state) && status.endedAt !== undefined;
    const seen = this.tracked.get(id);
    if (seen?.state !== status.state || (ended && !seen.ended))
      this.#history.add({ type: 'status', id, state: status.state, ended });
    if (seen) Object.assign(seen, { state: status.state, ...(ended && { ended: status.state }) });
    return status;
  }
  when(
    id: string,
    what: string,
    test: (status: PipelineStatus) => boolean,
    ms = this.#waitMs,
  ): Promise<PipelineStatus> {
    let last: PipelineStatus | undefined;
    return this.until(`${id}: ${what}`, ms, async () => {
      last = await this.status(id);
      return last && test(last) ? last : undefined;
    }).catch((error: unknown) => {
      throw new Break(`${String(error)}; it is ${JSON.stringify(last)}`);
    });
  }
  verdict(id: string, ms = 2 * this.#waitMs): Promise<PipelineStatus> {
    return this.when(
      id,
      'an end',
      (one) => FINAL_STATES.includes(one.state) && one.endedAt !== undefined,
      ms,
    );
  }

  /**
   * Whole log of an attempt, latin1, without the colours; undefined if there is none or the server does not
   * respond.
   */
  async rawLog(
    id: string,
    job: string,
    attempt = 1,
  ): Promise<{ bytes: string; complete: boolean; ended: boolean } | undefined> {
    const query = `job=${encodeURIComponent(job)}&attempt=${attempt}&offset=0`;
    try {
      const response = await fetch(`${this.#server}/api/v1/pipelines/${id}/log?${query}`, {
        headers: { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(CALL_MS),
      });
      if (!response.ok) return undefined;
      const bytes = Buffer.from(await response.arrayBuffer()).toString('latin1');
      const header = (name: string): boolean => response.headers.get(`x-davit-log-${name}`) === 'true';
      return { bytes, complete: header('complete'), ended: header('ended') };
    } catch {
      return undefined; // the server is down; the caller decides whether to retry
    }
  }
  untilLogged(id: string, job: string, text: string, ms = this.#waitMs): Promise<string> {
    return this.until(`"${text}" in the log of ${id} ${job}`, ms, async () => {
      const log = await this.rawLog(id, job);
      return log?.bytes.includes(text) ? log.bytes : undefined;
    });
  }

  listed(project: string): Promise<PipelineSummary[]> {
    return this.get<PipelineSummary[]>(`/api/v1/pipelines?project=${project}&limit=200`);
  }

  async until<T>(what: string, ms: number, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const end = performance.now() + ms;
    for (;;) {
      scope.getStore()?.signal.throwIfAborted();
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (performance.now() > end) throw new Break(`waited in vain for ${what} (${ms} ms)`);
      await delay(50);
    }
  }
}
