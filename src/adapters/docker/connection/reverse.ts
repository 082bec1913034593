/**
 * Ports of this machine's loopback on the loopback of a board: its engine reaches the registry and its tokens by the same
 * name as this machine. They are forwards of one ssh connection, asked for one by one, so that each answer is known.
 *   REVERSE-1 Several connections to one board may want the same port: the first one has it, and when it ends another one
 *             takes over within seconds. Which of them has it makes no difference: they lead to the same place.
 *   REVERSE-2 A port that leads anywhere else, or nowhere, is a problem with a name. The connection itself stays: jobs
 *             without the registry go on.
 *   REVERSE-3 A forward that is there and does not answer is replaced. The former connection of a lost link often holds
 *             its port on the board; a call through it makes the board notice that it is dead.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isSameAnswer, probe, type Answer } from './probe.ts';

/** A connection of another worker may end at any moment. */
const SHARED_MS = 3_000;
const HELD_MS = 20_000;
const PROBLEM_MS = 5_000;
/** One silent answer may be a busy machine. */
const MISSES = 2;

export interface ForwardCommands {
  /** Asks the running ssh for the forward. */
  forward(port: number): Promise<{ ok: boolean; words: string }>;
  cancel(port: number): Promise<void>;
  /** The socket that leads to the port on the board's loopback. */
  farSocket(port: number): string;
  /** False: the board's ssh server lets nobody look from the outside. */
  mayLook(): boolean;
}

/** `held`: by this connection. `shared`: another connection leads to the same place. Else what is wrong, for people. */
export type ForwardState = 'held' | 'shared' | { problem: string };

export class ReverseForwards {
  readonly #ports: readonly number[];
  readonly #shown: string;
  readonly #commands: ForwardCommands;
  readonly #onProblem: (text: string) => void;
  readonly #states = new Map<number, ForwardState>();
  readonly #stopping = new AbortController();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(of: {
    ports: readonly number[];
    /** The board, for messages. */
    shown: string;
    commands: ForwardCommands;
    /** Called when a port gets a problem, and when it has another one. */
    onProblem: (text: string) => void;
  }) {
    this.#ports = of.ports;
    this.#shown = of.shown;
    this.#commands = of.commands;
    this.#onProblem = of.onProblem;
  }

  /** Asks for every port once, and keeps them from then on. Never rejects. */
  async start(): Promise<void> {
    await Promise.all(this.#ports.map((port) => this.#take(port)));
    this.#loops = Promise.all(this.#ports.map((port) => this.#keep(port)));
  }

  /** With the connection, the forwards end too. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loops;
  }

  /** What is wrong with this port; undefined: nothing is known. */
  problem(port: number): string | undefined {
    const state = this.#states.get(port);
    return typeof state === 'object' ? state.problem : undefined;
  }

  async #keep(port: number): Promise<void> {
    const { signal } = this.#stopping;
    let misses = 0;
    while (!signal.aborted) {
      const state = this.#states.get(port);
      const pause = state === 'held' ? HELD_MS : state === 'shared' ? SHARED_MS : PROBLEM_MS;
      await delay(pause, undefined, { signal, ref: false }).catch(() => undefined); // stopped: seen by the loop
      if (signal.aborted) return;
      misses = (await this.#leadsHere(port)) === false ? misses + 1 : 0;
      if (state === 'held' && misses < MISSES) continue;
      if (state === 'shared' && misses === 0) continue;
      misses = 0;
      if (state === 'held') await this.#commands.cancel(port);
      await this.#take(port);
    }
  }

  /** Undefined if that cannot be said: nobody may look, or nothing answers on this machine either. */
  async #leadsHere(port: number): Promise<boolean | undefined> {
    if (!this.#commands.mayLook()) return undefined;
    const [near, far] = await this.#look(port);
    return typeof near === 'string' ? undefined : isSameAnswer(near, far);
  }

  #look(port: number): Promise<[Answer, Answer]> {
    const { signal } = this.#stopping;
    const far = { socketPath: this.#commands.farSocket(port) };
    return Promise.all([probe({ host: '127.0.0.1', port }, signal), probe(far, signal)]);
  }

  async #take(port: number): Promise<void> {
    const { ok, words } = await this.#commands.forward(port);
    if (this.#stopping.signal.aborted) return;
    this.#set(port, ok ? 'held' : await this.#refused(port, words));
  }

  async #refused(port: number, words: string): Promise<ForwardState> {
    const [near, far] = await this.#look(port);
    const where = `port ${port} of ${this.#shown}`;
    if (far === 'closed') {
      const taken = this.#commands.mayLook() ? '' : ' Or something else listens there.';
      return {
        problem: `The ssh server refuses to forward ${where} to this machine (${words}) Its sshd_config has to allow it for this user: AllowTcpForwarding yes, and a possible PermitListen with 127.0.0.1:${port}.${taken}`,
      };
    }
    if (far === 'silent')
      return {
        problem: `A connection that is dead still holds ${where}. It is taken over as soon as the ssh server there has noticed.`,
      };
    if (typeof near === 'string' || isSameAnswer(near, far)) return 'shared';
    return { problem: `Something else listens on ${where}: its engine cannot reach the registry there.` };
  }

  #set(port: number, state: ForwardState): void {
    const before = this.problem(port);
    this.#states.set(port, state);
    if (typeof state === 'object' && state.problem !== before) this.#onProblem(state.problem);
  }
}
