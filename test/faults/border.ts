/**
 * A border between two processes of the world, controlled by the harness. Every external effect of davit
 * crosses one as an HTTP or gRPC request, so a moment "before or after an effect" needs nothing in the
 * product: before is when the request has arrived and was not forwarded, after is when the response has
 * arrived and was not forwarded.
 */
export interface Crossing {
  /** HTTP method, or `GRPC`. */
  method: string;
  /** Path with query, or `/SERVICE/METHOD`. */
  path: string;
  /** Body of the request; empty unless a rule reads it. */
  body: Buffer;
}
export interface Hook {
  name: string;
  matches(crossing: Pick<Crossing, 'method' | 'path'>): boolean;
  moment: 'before' | 'after';
  /** The action at that moment: a process is killed, a gate is decided. Awaited. */
  act(): Promise<void> | void;
  /**
   * `drop`: the sender gets no response; before, the request is lost as well. A status (HTTP, before): that
   * is the response.
   */
  answer: 'pass' | 'drop' | { status: number; headers: Record<string, string>; body?: string };
}
export interface Observer {
  wants(crossing: Pick<Crossing, 'method' | 'path'>): boolean;
  /** `status`: of the response; undefined: there was none. */
  saw(crossing: Crossing, status: number | undefined): void;
}
export type Change = (crossing: Crossing) => Buffer | undefined;
export type State = 'open' | 'cut' | 'stalled';

export class Border {
  readonly name: string;
  state: State = 'open';
  readonly observers: Observer[] = [];
  /** Changes requests: removes what a mechanism depends on. Undefined: unchanged. */
  readonly changes: Change[] = [];
  /** Changes the path of a request (HTTP). Undefined: unchanged. */
  readonly pathChanges: ((crossing: Crossing) => string | undefined)[] = [];
  /** Changes JSON responses. */
  readonly answerChanges: ((crossing: Crossing, answer: Buffer) => Buffer | undefined)[] = [];
  readonly #hooks = new Set<{ hook: Hook; done: () => void }>();
  #resumed = Promise.withResolvers<void>();
  /** Set by the proxy: ends every connection. */
  destroyAll: () => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The next crossing that matches; resolves when its action has run. Once. */
  next(hook: Hook): { done: Promise<void>; disarm(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const armed = { hook, done: resolve };
    this.#hooks.add(armed);
    return { done: promise, disarm: () => void this.#hooks.delete(armed) };
  }
  /** Refuses connections and ends open ones. */
  cut(): void {
    this.state = 'cut';
    this.destroyAll();
  }
  /** Nothing passes in either direction, and no side is notified. */
  stall(): void {
    this.state = 'stalled';
  }
  open(): void {
    this.state = 'open';
    this.#resumed.resolve();
    this.#resumed = Promise.withResolvers();
  }
  async passable(): Promise<void> {
    while (this.state === 'stalled') await this.#resumed.promise;
  }

  wantsBody(crossing: Pick<Crossing, 'method' | 'path'>): boolean {
    return (
      this.changes.length > 0 ||
      this.answerChanges.length > 0 ||
      this.observers.some((one) => one.wants(crossing))
    );
  }
  saw(crossing: Crossing, status: number | undefined): void {
    for (const one of this.observers) if (one.wants(crossing)) one.saw(crossing, status);
  }
  changed(crossing: Crossing): Buffer {
    let body = crossing.body;
    for (const change of this.changes) body = change({ ...crossing, body }) ?? body;
    return body;
  }
  pathOf(crossing: Crossing): string {
    let path = crossing.path;
    for (const change of this.pathChanges) path = change({ ...crossing, path }) ?? path;
    return path;
  }
  /** Cancels every awaited moment. */
  disarm(): void {
    this.#hooks.clear();
  }
  answered(crossing: Crossing, answer: Buffer): Buffer {
    let now = answer;
    for (const change of this.answerChanges) now = change(crossing, now) ?? now;
    return now;
  }
  async act(moment: Hook['moment'], crossing: Crossing): Promise<Hook['answer']> {
    for (const armed of this.#hooks) {
      if (armed.hook.moment !== moment || !armed.hook.matches(crossing)) continue;
      this.#hooks.delete(armed);
      await armed.hook.act();
      armed.done();
      return armed.hook.answer;
    }
    return 'pass';
  }
}
