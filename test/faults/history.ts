/**
 * What happened in a run, in the order in which the harness saw it: the only thing that the checker looks at. Plain data, so
 * that a history can be written to a file, and made up by hand in a test. Times are ms since the run began.
 */
export interface LogOf {
  pipeline: string;
  job: string;
  attempt: number;
}

/** `unknown`: no answer came, or one that does not say whether it was done. Never the same as refused. */
export type Answer = 'ok' | 'refused' | 'unknown';

export type HistoryEvent =
  /** A delivery of a forge, or a start over the API. `key` is what must start one pipeline, however often it is sent. */
  | { type: 'trigger'; project: string; key: string; sha: string; answer: Answer; code?: number }
  /** A pipeline that exists, as the list of its project has it. */
  | { type: 'pipeline'; id: string; project: string; sha: string; deadlineMs: number }
  /** What the API said of a pipeline; `ended` when its state is final. */
  | { type: 'status'; id: string; state: string; ended: boolean }
  /** A person has asked for a pipeline to run again. */
  | { type: 'again'; id: string }
  /** Somebody decided about a job, or cancelled a pipeline (`job` empty). */
  | {
      type: 'decision';
      id: string;
      job: string;
      action: 'play' | 'reject' | 'cancel' | 'retry' | 'cancelJob';
      answer: Answer;
      /** When it was asked for: it may have been done from then on. */
      askedAt?: number;
    }
  /** A request that the harness has let through to the engine of a target, and what the target answered. */
  | {
      type: 'effect';
      service: string;
      what: 'create' | 'update' | 'remove';
      deployId: string;
      seq: number;
      answer: Answer;
    }
  /** A deployment that a pipeline knows of: which gate lets it through, if one does. */
  | { type: 'deployment'; deployId: string; service: string; pipeline: string; job: string; gated: boolean }
  /** What a target has at the end. */
  | { type: 'target'; service: string; deployId: string; seq: number }
  /** A container of a job's script began or ended, as the engine tells it. */
  | { type: 'container'; what: 'start' | 'die'; name: string; pipeline: string; job: string; engine: string }
  /** An engine is ended by a fault, and is there again: what ended with it may run again where the job's `retry:` says so. */
  | { type: 'engine'; what: 'down' | 'up'; engine: string }
  /** A pipeline whose jobs have a `retry:`. */
  | { type: 'retries'; id: string }
  /** A machine was declared lost: what ran there may run elsewhere. */
  | { type: 'host-lost'; engine: string }
  /** A write to the log store: what the store answered it. `bytes` are those of an append, latin1. */
  | ({ type: 'write'; what: 'open' | 'append' | 'end'; epoch: number; answer: Answer } & LogOf & {
        offset?: number;
        bytes?: string;
      })
  /** A whole log at the end, latin1, with what the store says of it. */
  | ({ type: 'log'; bytes: string; crc?: string; ended: boolean; complete: boolean } & LogOf)
  /** What a job's script is known to have written: so many lines `PREFIX-0` and so on, each once and in order. */
  | ({ type: 'lines'; prefix: string; count: number } & LogOf)
  /** What was found on an engine or disk once everything had ended and the janitors had had their time. */
  | { type: 'leftover'; what: 'container' | 'volume' | 'network' | 'file'; name: string; open: boolean }
  /** Something that was there before davit, or belongs to somebody else. */
  | { type: 'foreign'; name: string; there: boolean }
  /** A place where the canary secret was looked for. */
  | { type: 'sink'; name: string; found: boolean }
  /** What the harness did. */
  | { type: 'fault'; row: number; what: string };

export type Recorded = HistoryEvent & { at: number };

export class History {
  readonly events: Recorded[] = [];
  readonly #began = performance.now();

  /** Ms since the run began. */
  now(): number {
    return performance.now() - this.#began;
  }
  add(event: HistoryEvent): void {
    this.events.push({ ...event, at: this.now() });
  }
}

/** Mulberry32: small, good enough, and the same on every machine. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: (list) => {
      const found = list[below(list.length)];
      if (found === undefined) throw new Error('nothing to pick from');
      return found;
    },
  };
}
export interface Random {
  /** In [0, 1). */
  next(): number;
  below(limit: number): number;
  pick<T>(list: readonly T[]): T;
}
