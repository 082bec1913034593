/**
 * A border between two processes of the world, at which the harness stands. Every external effect of davit crosses one as an
 * HTTP or gRPC request, so a named moment "before or after an effect" needs nothing in the product: before is when the
 * request has come and was not passed on, after is when it was answered and the answer was not passed on.
 */
export interface Crossing {
  /** HTTP method, or `GRPC`. */
  method: string;
  /** Path with query, or `/SERVICE/METHOD`. */
  path: string;
  /** Of the request; empty unless somebody wants it. */
  body: Buffer;
}
export interface Hook {
  name: string;
  matches(crossing: Pick<Crossing, 'method' | 'path'>): boolean;
  moment: 'before' | 'after';
  /** What happens there: a process is killed, a gate is decided. Awaited. */
  act(): Promise<void> | void;
  /** `drop`: the sender gets no answer; before, the request is lost as well. A status (HTTP, before): that is the answer. */
  answer: 'pass' | 'drop' | { status: number; headers: Record<string, string>; body?: string };
}
export interface Observer {
  wants(crossing: Pick<Crossing, 'method' | 'path'>): boolean;
  /** `status`: of the answer; undefined: there was none. */
  saw(crossing: Crossing, status: number | undefined): void;
}
export type Change = (crossing: Crossing) => Buffer | undefined;
export type State = 'open' | 'cut' | 'stalled';

export class Border {
  readonly name: string;
  state: State = 'open';
  readonly observers: Observer[] = [];
  /** Changes requests: what a mechanism looks at is taken away. Undefined: left alone. */
  readonly changes: Change[] = [];
  /** Changes the path of a request (HTTP). Undefined: left alone. */
  readonly pathChanges: ((crossing: Crossing) => string | undefined)[] = [];
  /** Changes answers of JSON. */
  readonly answerChanges: ((crossing: Crossing, answer: Buffer) => Buffer | undefined)[] = [];
  readonly #hooks = new Set<{ hook: Hook; done: () => void }>();
  #resumed = Promise.withResolvers<void>();
  /** Set by the proxy: ends every connection. */
  destroyAll: () => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The next crossing that matches; resolves when it was acted upon. Once. */
  next(hook: Hook): { done: Promise<void>; disarm(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const armed = { hook, done: resolve };
    this.#hooks.add(armed);
    return { done: promise, disarm: () => void this.#hooks.delete(armed) };
  }
  /** Refuses connections and ends those that are. */
  cut(): void {
    this.state = 'cut';
    this.destroyAll();
  }
  /** Nothing passes in either direction, and nobody is told. */
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
  /** Nobody waits for any moment any more. */
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
