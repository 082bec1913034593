/**
 * Follows one container's log. Role: an unbroken sequence of records over links that drop, engines that restart and streams
 * that stand still. It does not mask and keeps no checkpoint of its own: the caller's `since` is one.
 *   LOG-1 Each record of the engine's log at or after `since` comes once, in the engine's order.
 *   LOG-2 Following ends only when the container is not running and the log has been read to its end once more: engines before
 *      23 could end a followed stream before its last lines.
 *   LOG-3 A stream silent for SILENCE_MS is opened anew from the last record: a dead link, or an engine that stopped feeding it
 *      (moby#37646, moby#45728), looks the same as a quiet job.
 *   LOG-4 Records that the engine has rotated away between two readings are no silent gap: it ends with `engine/failed`, and the
 *      caller finds the gap from its own place.
 *   LOG-5 Records that Podman sends of a followed log count only if the container still ran afterwards: when a container ends,
 *      Podman drops records of that stream at random (nxadm/tail, StopAtEOF). The rest is then read without following.
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
/** How often LOG-5 inspects a container that writes. */
const PROOF_MS = 100;
/** LOG-5 holds at most this many records. */
const MOST_HELD = 10_000;

interface Options {
  follow: boolean;
  since?: string;
  signal: AbortSignal;
  /** For tests. */
  silenceMs?: number;
}
/** A reader's position: how many records with exactly this time it has returned. */
interface Position {
  since?: string;
  records: number;
}

/**
 * Records of a container's log; see the head of this file. Rejects with `engine/container-missing`,
 * `engine/unreachable`.
 */
export async function* containerLogs(
  api: EngineApi,
  name: string,
  options: Options,
): AsyncGenerator<LogRecord> {
  const position: Position = { since: options.since, records: 0 };
  if (options.follow) yield* followed(api, name, { ...options, position });
  yield* once(api, name, { ...options, follow: false, position });
}

async function* followed(
  api: EngineApi,
  name: string,
  options: Options & { position: Position },
): AsyncGenerator<LogRecord> {
  const { podman } = await retry(() => api.traits(), { signal: options.signal });
  for (;;) {
    try {
      yield* podman ? followedWhileRunning(api, name, options) : once(api, name, options);
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      if (!(error instanceof DavitError) || error.code !== 'engine/unreachable') throw error;
      // The connection dropped: the container's state decides whether there is more to follow.
    }
    const state = await retry(() => inspectContainer(api, name, options.signal), {
      signal: options.signal,
    });
    if (!state) throw containerGone(name);
    if (state.status !== 'running' && state.status !== 'paused') return;
  }
}

/** LOG-5. Ends when the stream ends or the container no longer runs. */
async function* followedWhileRunning(
  api: EngineApi,
  name: string,
  options: Options & { position: Position },
): AsyncGenerator<LogRecord> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const held: LogRecord[] = [];
  let over = false;
  const reading = (async () => {
    for await (const record of once(api, name, { ...options, signal, position: { ...options.position } })) {
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
        step(options.position, record.time);
        yield record;
      }
    }
    await reading;
  } finally {
    stop.abort();
    await reading.catch(() => undefined); // thrown above, or caused by `stop`
  }
}

async function* once(
  api: EngineApi,
  name: string,
  options: Options & { position: Position },
): AsyncGenerator<LogRecord> {
  const { position, signal } = options;
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
      ...(position.since && { since: podman ? justBefore(position.since) : sinceParameter(position.since) }),
    },
    signal: AbortSignal.any([signal, silence.signal]),
    action: `read the log of container ${name}`,
  } as const;
  const demuxer = new LogDemuxer();
  let skip = position.records;
  const repeatOf = position.since;
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
        step(position, record.time);
        yield record;
      }
    }
    if (!demuxer.whole) throw cutOff(name);
    if (skip > 0) throw rotated(name);
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) return;
    throw api.streamError(error, { action: call.action, signal });
  } finally {
    silence.end();
  }
}

function step(position: Position, time: string): void {
  position.records = position.since === time ? position.records + 1 : 1;
  position.since = time;
}

const cutOff = (name: string): DavitError =>
  new DavitError('engine/unreachable', `The log of container ${name} ended in the middle of a record.`);

const rotated = (name: string): DavitError =>
  new DavitError(
    'engine/failed',
    `The engine has rotated the log of container ${name} before davit read all of it.`,
  );

/** Aborts its signal after `ms` without data. */
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
