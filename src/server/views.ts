/**
 * Role: the current state of pipelines. For an open one the status of its workflow, merged with what waits in
 * Temporal; for a closed one its record, which outlives Temporal's retention. Many watchers of one pipeline
 * cost one query.
 * Not its role: HTTP (`routes/`), the meaning of a state (`src/plan`).
 *
 * Invariants:
 * VIEW-1 The status of a pipeline that is open in Temporal never comes from a record, which is of an earlier
 *        run.
 * VIEW-2 There is at most one query in progress per pipeline, and a result is used for `statusMs` unless
 *        `touch` is called, or the pipeline tells that it has a verdict.
 * VIEW-3 What is told only says when to ask: watchers see nothing that the workflow or the record has not said.
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
import type { ChangeBoard } from './changes.ts';
import type { ServerDeps } from './deps.ts';
import { withNotes, withPending } from './temporal/pending-activities.ts';
import { recordOf, summaryOfRecord } from './records.ts';
import type { ListedPipeline } from './workflow-port.ts';

const MAX_CACHED = 1_000;
const PARALLEL = 8;
/** A closed pipeline changes only when a person starts or retries one of its jobs. */
const CLOSED_FACTOR = 6;
/** A change that nobody tells is rare: the message was lost, or the worker is older. */
const UNTOLD_FACTOR = 2;

export interface Views {
  /** Rejects with `not-found`. */
  status(id: PipelineId): Promise<PipelineStatus>;
  /**
   * Calls the listener with the status now and after every change; returns a stop function. Waits through
   * failures.
   */
  watch(id: PipelineId, listener: (status: PipelineStatus) => void): () => void;
  list(filter: { project?: ProjectSlug; limit: number }): Promise<PipelineSummary[]>;
  /** Invalidates the cached status after an action. */
  touch(id: PipelineId): void;
  close(): void;
}

export const isFinal = (state: PipelineState): boolean => FINAL_STATES.includes(state);

export function pipelineViews(
  deps: Pick<ServerDeps, 'workflows' | 'records' | 'blobs' | 'limits' | 'fleet'>,
  changes: ChangeBoard,
): Views {
  const cache = new Map<PipelineId, { at: number; status: Promise<PipelineStatus> }>();
  const watches = new Map<PipelineId, Watch>();

  const status = (id: PipelineId): Promise<PipelineStatus> => {
    const known = cache.get(id);
    if (known && Date.now() - known.at < deps.limits.statusMs) return known.status;
    const reading = readStatus(deps, id);
    const entry = { at: Number.POSITIVE_INFINITY, status: reading };
    cache.delete(id);
    cache.set(id, entry);
    if (cache.size > MAX_CACHED)
      for (const [oldest] of [...cache].slice(0, cache.size - MAX_CACHED)) cache.delete(oldest);
    reading.then(
      () => {
        entry.at = Date.now();
      },
      () => {
        // The caller receives the failure; the next call reads again.
        if (cache.get(id) === entry) cache.delete(id);
      },
    );
    return reading;
  };

  const newWatch = (id: PipelineId): Watch => {
    const watch: Watch = new Watch({
      read: () => status(id),
      everyMs: deps.limits.statusMs,
      unlisten: changes.onPipeline(id, (over) => {
        if (over) cache.delete(id);
        watch.told(over);
      }),
    });
    return watch;
  };

  return {
    status,
    watch: (id, listener) => {
      const watch = watches.get(id) ?? newWatch(id);
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

interface WatchOptions {
  read(): Promise<PipelineStatus>;
  everyMs: number;
  /** Called once the watch stops. */
  unlisten(): void;
}

/**
 * Reads the status for all listeners, as long as there are any: at once for a verdict that is told, `everyMs` after the last
 * reading for another change, and now and again without any, because a change that is told may get lost.
 */
class Watch {
  readonly #options: WatchOptions;
  readonly #listeners = new Set<(status: PipelineStatus) => void>();
  #last: { status: PipelineStatus; text: string } | undefined;
  #told: 'nothing' | 'change' | 'verdict' = 'nothing';
  #reading = false;
  #readAt = 0;
  /** Until the next reading if nothing is told. */
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  add(listener: (status: PipelineStatus) => void): void {
    this.#listeners.add(listener);
    if (this.#last) listener(this.#last.status);
    if (this.#listeners.size === 1) void this.#poll();
  }

  /** Returns the number of remaining listeners. */
  remove(listener: (status: PipelineStatus) => void): number {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.stop();
    return this.#listeners.size;
  }

  told(over: boolean): void {
    this.#told = over || this.#told === 'verdict' ? 'verdict' : 'change';
    if (!this.#reading) this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#options.unlisten();
  }

  async #poll(): Promise<void> {
    this.#told = 'nothing';
    this.#reading = true;
    this.#pauseMs = this.#options.everyMs * UNTOLD_FACTOR;
    try {
      const status = await this.#options.read();
      if (isFinal(status.state)) this.#pauseMs = this.#options.everyMs * CLOSED_FACTOR;
      this.#notify(status);
    } catch {
      // Temporal or the worker is unreachable: listeners are notified after the next success.
    }
    this.#reading = false;
    this.#readAt = Date.now();
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const pauseMs = { nothing: this.#pauseMs, change: this.#options.everyMs, verdict: 0 }[this.#told];
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, this.#readAt + pauseMs - Date.now()));
  }

  #notify(status: PipelineStatus): void {
    const text = JSON.stringify(status);
    if (this.#stopped || text === this.#last?.text) return;
    this.#last = { status, text };
    for (const listener of this.#listeners) listener(status);
  }
}

type ReadDeps = Pick<ServerDeps, 'workflows' | 'records' | 'blobs' | 'fleet'>;

async function readStatus(deps: ReadDeps, id: PipelineId): Promise<PipelineStatus> {
  const known = await deps.workflows.describe(id);
  if (known?.open) {
    const status = await deps.workflows.status(id);
    if (status) {
      const now = Date.now();
      const pending = withPending(status, { pending: known.pending, now });
      return withNotes(pending, { fleet: deps.fleet.all(), gone: deps.fleet.gone(), now });
    }
  }
  const status = (await recordOf(deps, id))?.status ?? (known && (await deps.workflows.status(id)));
  if (!status) throw new DavitError('not-found', `There is no pipeline ${id}.`);
  return status;
}

/** Open pipelines and those within retention from Temporal, older ones from their records; newest first. */
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
      // No control worker responds: use the data of visibility for this and the remaining pipelines.
      silent = true;
      return bare(one);
    }
  };
  const found: PipelineSummary[] = [];
  for (let index = 0; index < listed.length; index += PARALLEL)
    found.push(...(await Promise.all(listed.slice(index, index + PARALLEL).map(summary))));
  const known = new Set(found.map((one) => one.id));
  const prefix = filter.project === undefined ? 'pipelines' : pipelinesPrefix(filter.project);
  for (const name of await deps.records.list(prefix, filter.limit)) {
    const entry = await deps.records.get<PipelineEntry>(name);
    if (entry && !known.has(entry.summary.id)) found.push(entry.summary);
  }
  return found.sort((a, b) => b.startedAt - a.startedAt).slice(0, filter.limit);
}

/** The data of visibility; number, title and source are only in the workflow. */
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
