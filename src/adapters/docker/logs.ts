/**
 * Follows one container's log. Role: an unbroken sequence of records over links that drop, engines that restart and streams
 * that stand still. It does not mask and keeps no checkpoint of its own: the caller's `since` is one.
 *   L1 Each record of the engine's log at or after `since` comes once, in the engine's order.
 *   L2 Following ends only when the container is not running and the log has been read to its end once more: engines before
 *      23 could end a followed stream before its last lines.
 *   L3 A stream silent for SILENCE_MS is opened anew from the last record: a dead link, or an engine that stopped feeding it
 *      (moby#37646, moby#45728), looks the same as a quiet job.
 *   L4 Records that the engine has rotated away between two readings are no silent gap: it ends with `engine/failed`, and the
 *      caller finds the gap from its own place.
 *   L5 What Podman sends of a followed log counts only when the container still ran afterwards: at the end of a container it drops
 *      records of that stream at random (nxadm/tail, StopAtEOF). The rest is then read without following.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { LogRecord } from '../ports.ts';
import { path, type EngineApi } from './api.ts';
import { containerGone, inspectContainer } from './containers.ts';
import { justBefore, LogDemuxer, sinceParameter } from './demux.ts';
import { retry } from '../../utils/retry.ts';
import { DavitError } from '../../errors.ts';
import { unlessAborted } from '../../utils/unless-aborted.ts';

const SILENCE_MS = 60_000;
/** How often L5 looks at a container that writes. */
const PROOF_MS = 100;
/** Records that L5 holds at most. */
const MOST_HELD = 10_000;

interface Options {
  follow: boolean;
  since?: string;
  signal: AbortSignal;
  /** For tests. */
  silenceMs?: number;
}
/** Where a reader stands: how many records with exactly this time it has handed on. */
interface Position {
  since?: string;
  records: number;
}

/** Records of a container's log; see the head of this file. Rejects with `engine/container-missing`, `engine/unreachable`. */
export async function* containerLogs(
  api: EngineApi,
  name: string,
  options: Options,
): AsyncGenerator<LogRecord> {
  const at: Position = { since: options.since, records: 0 };
  if (options.follow) yield* followed(api, name, { ...options, at });
  yield* once(api, name, { ...options, follow: false, at });
}

async function* followed(
  api: EngineApi,
  name: string,
  options: Options & { at: Position },
): AsyncGenerator<LogRecord> {
  const { podman } = await retry(options.signal, () => api.traits());
  for (;;) {
    try {
      yield* podman ? proven(api, name, options) : once(api, name, options);
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      if (!(error instanceof DavitError) || error.code !== 'engine/unreachable') throw error;
      // The link dropped: whether there is more to follow is asked next.
    }
    const state = await retry(options.signal, () => inspectContainer(api, name, options.signal));
    if (!state) throw containerGone(name);
    if (state.status !== 'running' && state.status !== 'paused') return;
  }
}

/** L5. Ends when the stream does, or when the container does not run. */
async function* proven(
  api: EngineApi,
  name: string,
  options: Options & { at: Position },
): AsyncGenerator<LogRecord> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const held: LogRecord[] = [];
  let over = false;
  const reading = (async () => {
    for await (const record of once(api, name, { ...options, signal, at: { ...options.at } })) {
      held.push(record);
      while (held.length >= MOST_HELD) await pause(PROOF_MS, undefined, { signal });
    }
  })().finally(() => (over = true));
  reading.catch(() => undefined); // awaited below
  try {
    while (!over) {
      await Promise.race([reading, pause(PROOF_MS, undefined, { signal })]);
      const known = held.length;
      if (known === 0) continue;
      const state = await inspectContainer(api, name, options.signal);
      if (state?.status !== 'running') return;
      for (const record of held.splice(0, known)) {
        step(options.at, record.time);
        yield record;
      }
    }
    await reading;
  } finally {
    stop.abort();
    await reading.catch(() => undefined); // its error was thrown above, or is that it was stopped
  }
}

async function* once(
  api: EngineApi,
  name: string,
  options: Options & { at: Position },
): AsyncGenerator<LogRecord> {
  const { at, signal } = options;
  const { podman } = await unlessAborted(api.traits(), signal);
  const silence = new Silence(options.follow ? (options.silenceMs ?? SILENCE_MS) : undefined);
  const call = {
    method: 'GET',
    path: path`/containers/${name}/logs`,
    query: {
      stdout: '1',
      stderr: '1',
      timestamps: '1',
      follow: options.follow ? '1' : '0',
      ...(at.since && { since: podman ? justBefore(at.since) : sinceParameter(at.since) }),
    },
    signal: AbortSignal.any([signal, silence.signal]),
    what: `read the log of container ${name}`,
  } as const;
  const demuxer = new LogDemuxer();
  let skip = at.records;
  const repeatOf = at.since;
  try {
    const stream = await api.stream(call);
    for await (const chunk of stream) {
      silence.over();
      for (const record of demuxer.push(Buffer.from(chunk))) {
        if (skip > 0) {
          if (record.time !== repeatOf) throw rotated(name);
          skip -= 1;
          continue;
        }
        step(at, record.time);
        yield record;
      }
    }
    if (!demuxer.whole) throw cutOff(name);
    if (skip > 0) throw rotated(name);
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) return;
    throw api.streamError(error, { what: call.what, signal });
  } finally {
    silence.end();
  }
}

function step(at: Position, time: string): void {
  at.records = at.since === time ? at.records + 1 : 1;
  at.since = time;
}

const cutOff = (name: string): DavitError =>
  new DavitError('engine/unreachable', `The log of container ${name} broke off in the middle of a record.`);

const rotated = (name: string): DavitError =>
  new DavitError(
    'engine/failed',
    `The engine has rotated the log of container ${name} while nobody read it.`,
  );

/** Aborts its signal when nothing has been heard for so long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer?: NodeJS.Timeout;

  constructor(ms: number | undefined) {
    if (ms !== undefined) this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  over(): void {
    this.#timer?.refresh();
  }
  end(): void {
    clearTimeout(this.#timer);
  }
}
