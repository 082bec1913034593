/**
 * Asks the engine now and then whether it is there. While it is not, the gate is closed: a worker that took jobs and failed
 * them would be a black hole for its queues. Jobs that run wait for the engine by themselves.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { Trouble } from '../../../src/plan/model/fleet.ts';
import { messageOf } from '../../../src/utils/message.ts';
import type { Gate } from './gate.ts';

const EVERY_MS = 10_000;
const AWAY_EVERY_MS = 2_000;
/** An engine that is busy is slow; one behind a dead link says nothing. */
const PATIENCE_MS = 15_000;
const AWAY = ['engine/unreachable', 'engine/untrusted', 'engine/version'];
const REASON = 'engine';

export const isEngineAway = (error: unknown): error is DavitError =>
  error instanceof DavitError && AWAY.includes(error.code);

export interface WatchedEngine {
  engine: Pick<Engine, 'info'>;
  gate: Gate;
  /** For messages. */
  hostName: string;
  /** Server's clock. */
  now(): number;
  log(text: string): void;
  /** Called when the engine is back, before jobs are taken. A rejection ends the worker. */
  onBack(): Promise<void>;
  onChange(): void;
  everyMs?: number;
  awayEveryMs?: number;
  patienceMs?: number;
}

export class EngineWatch {
  readonly #of: WatchedEngine;
  readonly #over = new AbortController();
  #asking: Promise<unknown> | undefined;
  #wake = new AbortController();
  #away: (Trouble & { since: number }) | undefined;

  constructor(of: WatchedEngine) {
    this.#of = of;
  }

  /** Since when and why the engine is away. */
  get away(): (Trouble & { since: number }) | undefined {
    return this.#away;
  }

  /** Something failed: the engine is asked at once. */
  readonly suspect = (error: unknown): void => {
    if (isEngineAway(error) || (error instanceof Error && AWAY.some((code) => isOfType(error, code))))
      this.#wake.abort();
  };

  /** Until `stop`. Rejects with the rejection of `onBack`. */
  async run(): Promise<void> {
    const { everyMs = EVERY_MS, awayEveryMs = AWAY_EVERY_MS } = this.#of;
    while (!this.#over.signal.aborted) {
      await this.#pause(this.#away ? awayEveryMs : everyMs);
      if (this.#over.signal.aborted) return;
      await this.#look();
    }
  }

  stop(): void {
    this.#over.abort();
    this.#wake.abort();
  }

  async #look(): Promise<void> {
    const { gate, hostName, log, onBack, onChange, now } = this.#of;
    const trouble = await this.#ask();
    if (this.#over.signal.aborted || !trouble === !this.#away) return;
    if (trouble) {
      this.#away = { ...trouble, since: now() };
      gate.close(REASON, `The engine of ${hostName} is away.`);
      log(`takes no jobs: ${trouble.message}`);
      return onChange();
    }
    try {
      await onBack();
    } catch (error) {
      if (isEngineAway(error)) return; // gone again
      throw error;
    }
    this.#away = undefined;
    gate.open(REASON);
    log('its engine is back');
    return onChange();
  }

  /** What is wrong with it. One question at a time: behind a dead link each would wait for long. */
  async #ask(): Promise<Trouble | undefined> {
    const { engine, hostName, patienceMs = PATIENCE_MS } = this.#of;
    this.#asking ??= engine.info().finally(() => {
      this.#asking = undefined;
    });
    const late = Symbol('late');
    const patience = new AbortController();
    try {
      const answer = await Promise.race([
        this.#asking,
        delay(patienceMs, late, { signal: AbortSignal.any([patience.signal, this.#over.signal]) }),
      ]);
      if (answer !== late) return undefined;
      return { code: 'engine/unreachable', message: `The container engine of ${hostName} does not respond.` };
    } catch (error) {
      if (this.#over.signal.aborted) return undefined;
      // Any other failure is an answer.
      return isEngineAway(error) ? troubleOf(error) : undefined;
    } finally {
      patience.abort();
    }
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#wake.signal, this.#over.signal]);
    await delay(ms, undefined, { signal }).catch(() => undefined); // woken, or stopped
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }
}

/** Failures of activities have the code as their type. */
const isOfType = (error: Error, code: string): boolean => 'type' in error && error.type === code;

export const troubleOf = (error: unknown): Trouble =>
  error instanceof DavitError
    ? { code: error.code, message: error.message, hint: error.hint }
    : { message: messageOf(error) };
