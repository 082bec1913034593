/**
 * The davit process of one machine: server, control worker and all workers of the machine, with one native
 * runtime and one connection to Temporal.
 *
 * Invariants:
 *  MACHINE-1 A failed worker does not end the server or another worker (`keep-worker.ts`).
 *  MACHINE-2 At the end, workers hand over their jobs first, because they report to the server; then the
 *            server stops; the connections last.
 */
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';
import { SharedLinks } from '../../../workers/parts/links.ts';
import { keepWorker, type KeptWorker } from './keep-worker.ts';
import { startLocalServer } from './local-server.ts';
import { workerName, type WorkerSpec, type WorkerState } from './messages.ts';

export interface MachineOptions {
  settings: Settings;
  port?: number;
  host?: string;
  report(state: WorkerState): void;
  log(text: string): void;
}

export class Machine {
  readonly #options: MachineOptions;
  readonly #links: SharedLinks;
  readonly #close: () => Promise<void>;
  readonly #stopping = new AbortController();
  readonly #workers = new Map<string, { ended: Promise<void>; stopping: AbortController }>();
  #fail: (error: unknown) => void = () => undefined;
  /** Rejects when the process has to be replaced by a new one. */
  readonly failed: Promise<never>;

  private constructor(options: MachineOptions, close: () => Promise<void>) {
    this.#options = options;
    this.#links = new SharedLinks(options.settings);
    this.#close = close;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
  }

  /** Resolves when the server listens. */
  static async start(options: MachineOptions): Promise<Machine> {
    const server = await startLocalServer(options.settings, options);
    options.log(`server at ${server.url}`);
    // Workers talk to it by its address, as workers of other machines do.
    const settings = { ...options.settings, serverUrl: options.settings.serverUrl ?? server.url };
    return new Machine({ ...options, settings }, () => server.close());
  }

  /**
   * Starts a worker and keeps it running. Resolves when it first takes tasks. A second call changes nothing.
   */
  serve(worker: WorkerSpec): Promise<void> {
    const name = workerName(worker);
    if (this.#workers.has(name) || this.#stopping.signal.aborted) return Promise.resolve();
    const { report, log } = this.#options;
    const stopping = new AbortController();
    return new Promise((resolve) => {
      const kept = keepWorker(this.#kept(name, worker), {
        signal: AbortSignal.any([this.#stopping.signal, stopping.signal]),
        onReady: () => {
          report({ kind: 'ready', name });
          resolve();
        },
        onFailure: (_, error) => {
          log(`${name}: ${messageOf(error)} It is started again.`);
          report({ kind: 'failed', name, ...facts(error) });
        },
      });
      const ended = kept.then(() => log(`${name} has ended`));
      this.#workers.set(name, { ended, stopping });
      ended.catch((error: unknown) => this.#fail(error));
    });
  }

  /** Ends a worker as SIGTERM does: its jobs go on, for the next worker of its engine. */
  async dismiss(name: string): Promise<void> {
    const worker = this.#workers.get(name);
    if (!worker) return;
    worker.stopping.abort();
    await worker.ended.catch(() => undefined); // `failed` has it
    this.#workers.delete(name);
  }

  #kept(name: string, worker: WorkerSpec): KeptWorker {
    const { settings, log } = this.#options;
    return {
      name,
      run: async (hooks) => {
        // Both at once: Temporal may be starting while the code is loaded.
        const linked = async () => ({ settings, links: await this.#links.get(), ...hooks });
        if (worker.kind === 'control') {
          const [{ run }, shared] = await Promise.all([import('../../../workers/control.ts'), linked()]);
          return run(shared);
        }
        if (worker.kind === 'machine') {
          const { runMachine } = await import('../machines/run-machine.ts');
          return runMachine({
            ...{ settings, ...hooks, name: worker.name },
            log: (text) => log(`${name}: ${text}`),
          });
        }
        if (worker.kind === 'deploy') {
          const [{ run }, shared] = await Promise.all([import('../../../workers/deploy.ts'), linked()]);
          return run({
            ...shared,
            target: worker.target,
            dockerAddress: worker.docker,
            permittedOnly: worker.permittedOnly,
          });
        }
        const [{ run }, shared] = await Promise.all([import('../../../workers/arch.ts'), linked()]);
        return run({
          ...shared,
          arches: worker.arches,
          emulation: worker.emulation,
          configFile: worker.configFile,
          dockerAddress: worker.docker,
          log: (text) => log(`${name}: ${text}`),
        });
      },
    };
  }

  /** MACHINE-2 */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([...this.#workers.values()].map(({ ended }) => ended));
    await this.#close();
    this.#options.log('the server has ended');
    await this.#links.close();
  }
}

const facts = (error: unknown): Pick<WorkerState & { kind: 'failed' }, 'code' | 'message' | 'hint'> =>
  error instanceof DavitError
    ? { code: error.code, message: error.message, hint: error.hint }
    : { message: messageOf(error) };
