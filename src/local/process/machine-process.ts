/**
 * The supervisor's side of the one process of a machine (`../machine/serve.ts`): starts it, sends it its list
 * of workers, and receives a message when each is ready. A restarted process gets the list again.
 */
import { DavitError } from '../../errors.ts';
import { readWorkerState, type ServeRequest, workerName, type WorkerSpec } from '../machine/messages.ts';
import {
  type ManagedProcess,
  type ProcessSpec,
  RANKS,
  readyOrEnded,
  type RunningProcess,
  startProcess,
} from './managed-process.ts';

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

export class MachineProcess {
  readonly process: ManagedProcess;
  readonly #workers: WorkerSpec[] = [];
  readonly #waiting = new Map<string, Waiting>();
  #running: RunningProcess | undefined;
  #listens = false;

  /** `shows`: printed when it is ready. */
  constructor(shows: string, spec: ProcessSpec, start: typeof startProcess = startProcess) {
    this.process = {
      name: spec.name,
      log: spec.log,
      rank: RANKS.server,
      start: async () => {
        this.#listens = false;
        const running = await start({ ...spec, onMessage: (message) => this.#hear(message) });
        this.#running = running;
        void running.readyReported.then(() => {
          if (this.#running !== running) return;
          this.#listens = true;
          for (const worker of this.#workers) this.#tell(worker);
        });
        return running;
      },
      ready: async (running) => {
        await running.readyReported;
        return shows;
      },
    };
  }

  /**
   * Adds this worker to the process. Resolves when it first takes tasks. Rejects with `local/not-started` if
   * its first start fails, or the process ends before.
   */
  async serve(worker: WorkerSpec): Promise<void> {
    const name = workerName(worker);
    const ready = new Promise<void>((resolve, reject) => this.#waiting.set(name, { resolve, reject }));
    ready.catch(() => undefined); // heard below, or the process has ended and that is the error
    this.#workers.push(worker);
    if (this.#listens) this.#tell(worker);
    const running = this.#running;
    try {
      await (running ? readyOrEnded(running, ready) : ready);
    } catch (cause) {
      const coded = cause instanceof DavitError;
      const why = coded ? cause.message : `The process ${cause instanceof Error ? cause.message : 'ended'}.`;
      throw new DavitError(
        'local/not-started',
        `${name} did not start. ${why} Its log: ${this.process.log}`,
        {
          hint: coded ? cause.hint : undefined,
          cause,
        },
      );
    }
  }

  /** Takes a worker out of the process; its jobs go on. */
  dismiss(worker: WorkerSpec): void {
    const name = workerName(worker);
    const at = this.#workers.findIndex((one) => workerName(one) === name);
    if (at >= 0) this.#workers.splice(at, 1);
    if (this.#listens) this.#send({ kind: 'dismiss', name });
  }

  #tell(worker: WorkerSpec): void {
    this.#send({ kind: 'serve', worker });
  }

  #send(request: ServeRequest): void {
    this.#running?.send?.(request);
  }

  /** A worker that fails later is retried inside of the process, which logs it. */
  #hear(message: unknown): void {
    const state = readWorkerState(message);
    if (!state) return;
    const waiting = this.#waiting.get(state.name);
    this.#waiting.delete(state.name);
    if (state.kind === 'ready') waiting?.resolve();
    else
      waiting?.reject(new DavitError(state.code ?? 'internal/defect', state.message, { hint: state.hint }));
  }
}
