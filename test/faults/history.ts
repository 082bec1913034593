/**
 * What happened in a run, in the order in which the harness saw it: the checker's only input. Plain data, so
 * that a history can be written to a file, and constructed by hand in a test. Times are ms since the start of
 * the run.
 */
export interface LogOf {
  pipeline: string;
  job: string;
  attempt: number;
}

/** `unknown`: no response, or one that does not show whether it was done. Never the same as refused. */
export type Answer = 'ok' | 'refused' | 'unknown';

export type HistoryEvent =
  /**
   * A delivery of a forge, or a start over the API. `key` identifies the one pipeline to start, however often
   * it is sent.
   */
  | { type: 'trigger'; project: string; key: string; sha: string; answer: Answer; code?: number }
  /** A pipeline that exists, as the list of its project has it. */
  | { type: 'pipeline'; id: string; project: string; sha: string; deadlineMs: number }
  /** The API's status of a pipeline; `ended` when its state is final. */
  | { type: 'status'; id: string; state: string; ended: boolean }
  /** A person has requested a retry of a pipeline. */
  | { type: 'again'; id: string }
  /** A person decided about a job, or cancelled a pipeline (`job` empty). */
  | {
      type: 'decision';
      id: string;
      job: string;
      action: 'play' | 'reject' | 'cancel' | 'retry' | 'cancelJob';
      answer: Answer;
      /** When it was requested: it may have been done from then on. */
      askedAt?: number;
    }
  /** A request that the harness has let through to the engine of a target, and the target's response. */
  | {
      type: 'effect';
      service: string;
      what: 'create' | 'update' | 'remove';
      deployId: string;
      seq: number;
      answer: Answer;
    }
  /** A deployment that a pipeline knows, and the gate that allows it, if there is one. */
  | { type: 'deployment'; deployId: string; service: string; pipeline: string; job: string; gated: boolean }
  /** The final state of a target. */
  | { type: 'target'; service: string; deployId: string; seq: number }
  /** A container of a job's script began or ended, as the engine reports it. */
  | { type: 'container'; what: 'start' | 'die'; name: string; pipeline: string; job: string; engine: string }
  /**
   * A fault ended an engine, and it is up again: jobs that ended with it may run again if their `retry:`
   * allows it.
   */
  | { type: 'engine'; what: 'down' | 'up'; engine: string }
  /** A pipeline whose jobs have a `retry:`. */
  | { type: 'retries'; id: string }
  /** A machine was declared lost: its jobs may run elsewhere. */
  | { type: 'host-lost'; engine: string }
  /** A write to the log store: the store's response. `bytes` are those of an append, latin1. */
  | ({ type: 'write'; what: 'open' | 'append' | 'end'; epoch: number; answer: Answer } & LogOf & {
        offset?: number;
        bytes?: string;
      })
  /** A whole log at the end, latin1, with its state in the store. */
  | ({ type: 'log'; bytes: string; crc?: string; ended: boolean; complete: boolean } & LogOf)
  /** Known output of a job's script: a number of lines `PREFIX-0` and so on, each once and in order. */
  | ({ type: 'lines'; prefix: string; count: number } & LogOf)
  /** What was found on an engine or disk after everything had ended and the janitors had run. */
  | { type: 'leftover'; what: 'container' | 'volume' | 'network' | 'file'; name: string; open: boolean }
  /** An object that existed before davit, or belongs to something else. */
  | { type: 'foreign'; name: string; there: boolean }
  /** A place where the canary secret was looked for. */
  | { type: 'sink'; name: string; found: boolean }
  /** An action of the harness. */
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
