/**
 * Role: what pipelines look like now: of an open one its workflow's answer, merged with what waits in Temporal; of a closed one
 * its record, which outlives Temporal's retention. Many watchers of one pipeline cost one question.
 * Not its role: HTTP (`routes/`), what a state means (`src/plan`).
 *
 * Invariants:
 *  V1 A pipeline that Temporal says is open is never answered from a record: a record is of its former run.
 *  V2 At most one question a pipeline is under way, and an answer is used for `statusMs`, unless `touch` said that it is old.
 */
import { DavitError } from '../errors.ts';
import type { PipelineId, ProjectSlug } from '../plan/model/ids.ts';
import { FINAL_STATES, type PipelineState, type PipelineStatus } from '../plan/model/protocol.ts';
import {
  pipelinesPrefix,
  summaryOf,
  type PipelineEntry,
  type PipelineSummary,
} from '../plan/model/records.ts';
import type { ServerDeps } from './deps.ts';
import { withPending } from './temporal/pending-activities.ts';
import { recordOf, summaryOfRecord } from './records.ts';
import type { ListedPipeline } from './workflow-port.ts';

const MAX_CACHED = 1_000;
const AT_ONCE = 8;
/** A closed pipeline changes only when somebody plays or retries a job of it. */
const CLOSED_FACTOR = 6;

export interface Views {
  /** Rejects with `not-found`. */
  status(id: PipelineId): Promise<PipelineStatus>;
  /** Tells of the status now and of every change; the answer ends it. Trouble on the way is waited out. */
  watch(id: PipelineId, listener: (status: PipelineStatus) => void): () => void;
  list(filter: { project?: ProjectSlug; limit: number }): Promise<PipelineSummary[]>;
  /** Something was done to it: what is known is old. */
  touch(id: PipelineId): void;
  close(): void;
}

export const isFinal = (state: PipelineState): boolean => FINAL_STATES.includes(state);

export function pipelineViews(deps: Pick<ServerDeps, 'workflows' | 'records' | 'blobs' | 'limits'>): Views {
  const cache = new Map<PipelineId, { at: number; status: Promise<PipelineStatus> }>();
  const watches = new Map<PipelineId, Watch>();

  const status = (id: PipelineId): Promise<PipelineStatus> => {
    const known = cache.get(id);
    if (known && Date.now() - known.at < deps.limits.statusMs) return known.status;
    const asked = readStatus(deps, id);
    const entry = { at: Number.POSITIVE_INFINITY, status: asked };
    cache.delete(id);
    cache.set(id, entry);
    if (cache.size > MAX_CACHED)
      for (const [oldest] of [...cache].slice(0, cache.size - MAX_CACHED)) cache.delete(oldest);
    asked.then(
      () => {
        entry.at = Date.now();
      },
      () => {
        // The failure is the asker's; the next one asks anew.
        if (cache.get(id) === entry) cache.delete(id);
      },
    );
    return asked;
  };

  return {
    status,
    watch: (id, listener) => {
      const watch = watches.get(id) ?? new Watch(() => status(id), deps.limits.statusMs);
      watches.set(id, watch);
      watch.add(listener);
      return () => {
        if (watch.remove(listener) === 0) watches.delete(id);
      };
    },
    list: (filter) => list(deps, status, filter),
    touch: (id) => void cache.delete(id),
    close: () => {
      for (const watch of watches.values()) watch.stop();
      watches.clear();
    },
  };
}

/** One question for all who watch, asked again while there is anybody. */
class Watch {
  readonly #ask: () => Promise<PipelineStatus>;
  readonly #everyMs: number;
  readonly #listeners = new Set<(status: PipelineStatus) => void>();
  #last: { status: PipelineStatus; text: string } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ask: () => Promise<PipelineStatus>, everyMs: number) {
    this.#ask = ask;
    this.#everyMs = everyMs;
  }

  add(listener: (status: PipelineStatus) => void): void {
    this.#listeners.add(listener);
    if (this.#last) listener(this.#last.status);
    if (this.#listeners.size === 1) void this.#look();
  }

  /** Answers how many are left. */
  remove(listener: (status: PipelineStatus) => void): number {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.stop();
    return this.#listeners.size;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    let wait = this.#everyMs;
    try {
      const status = await this.#ask();
      if (isFinal(status.state)) wait *= CLOSED_FACTOR;
      this.#tell(status);
    } catch {
      // Temporal or the worker is away: watchers keep what they have and hear of the next answer.
      wait *= 2;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), wait);
  }

  #tell(status: PipelineStatus): void {
    const text = JSON.stringify(status);
    if (this.#stopped || text === this.#last?.text) return;
    this.#last = { status, text };
    for (const listener of this.#listeners) listener(status);
  }
}

type ReadDeps = Pick<ServerDeps, 'workflows' | 'records' | 'blobs'>;

async function readStatus(deps: ReadDeps, id: PipelineId): Promise<PipelineStatus> {
  const known = await deps.workflows.describe(id);
  if (known?.open) {
    const status = await deps.workflows.status(id);
    if (status) return withPending(status, { pending: known.pending, now: Date.now() });
  }
  const status = (await recordOf(deps, id))?.status ?? (known && (await deps.workflows.status(id)));
  if (!status) throw new DavitError('not-found', `There is no pipeline ${id}.`);
  return status;
}

/** Open ones and those within retention from Temporal, older ones from their records; newest first. */
async function list(
  deps: ReadDeps,
  status: (id: PipelineId) => Promise<PipelineStatus>,
  filter: { project?: ProjectSlug; limit: number },
): Promise<PipelineSummary[]> {
  const listed = await deps.workflows.list(filter);
  let silent = false;
  const summary = async (one: ListedPipeline): Promise<PipelineSummary> => {
    if (!one.open) return (await summaryOfRecord(deps, one.id)) ?? bare(one);
    if (silent) return bare(one);
    try {
      return summaryOf(await status(one.id));
    } catch {
      // No control worker answers: what visibility holds is said of this and of the rest.
      silent = true;
      return bare(one);
    }
  };
  const found: PipelineSummary[] = [];
  for (let at = 0; at < listed.length; at += AT_ONCE)
    found.push(...(await Promise.all(listed.slice(at, at + AT_ONCE).map(summary))));
  const known = new Set(found.map((one) => one.id));
  const prefix = filter.project === undefined ? 'pipelines' : pipelinesPrefix(filter.project);
  for (const name of await deps.records.list(prefix, filter.limit)) {
    const entry = await deps.records.get<PipelineEntry>(name);
    if (entry && !known.has(entry.summary.id)) found.push(entry.summary);
  }
  return found.sort((a, b) => b.startedAt - a.startedAt).slice(0, filter.limit);
}

/** What visibility holds; number, title and source stand in the workflow only. */
const bare = (one: ListedPipeline): PipelineSummary => ({
  id: one.id,
  number: 0,
  project: one.id.slice(0, one.id.lastIndexOf('/')),
  ref: one.ref,
  sha: one.sha,
  title: '',
  source: '',
  state: STATES.find((state) => state === one.state) ?? (one.open ? 'running' : 'failed'),
  startedAt: one.startedAt,
  endedAt: one.endedAt,
  waitingFor: one.waitingFor,
});
const STATES: readonly PipelineState[] = [
  ...FINAL_STATES,
  'created',
  'running',
  'waiting_for_resource',
  'manual',
  'scheduled',
];
