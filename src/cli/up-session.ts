/**
 * `davit up` in the foreground: starts, serves until a signal, stops. With `--demo` it runs the examples
 * first.
 */
import { DavitError } from '../errors.ts';
import { lineProgress, type Progress } from '../local/process/progress.ts';
import { up, type Up } from '../local/up.ts';
import { notifyStarter } from '../local/process/ipc.ts';
import type { Arch } from '../plan/model/ids.ts';
import type { SwarmWish } from '../local/setup/swarm.ts';
import type { Cli } from './cli.ts';
import { Interrupts } from './interrupts.ts';
import { messageOf } from '../utils/message.ts';

export interface SessionOptions {
  arches?: readonly Arch[] | undefined;
  swarm: SwarmWish;
  separate: boolean;
  demo: boolean;
  once: boolean;
}

/**
 * Resolves when everything has stopped. A signal aborts the start; during the demo it first cancels the
 * pipeline.
 */
export async function runUp(cli: Cli, options: SessionOptions): Promise<void> {
  const interrupts = new Interrupts();
  const progress = sessionProgress(cli);
  const started = performance.now();
  let running: Up;
  try {
    running = await up(cli.settings, {
      progress,
      arches: options.arches,
      swarm: options.swarm,
      separate: options.separate,
      signal: interrupts.first,
    });
  } catch (error) {
    interrupts.end();
    if (interrupts.first.aborted) return cli.io.err('Interrupted before davit was up.\n');
    tellFailure(error);
    throw error;
  }
  try {
    notifyStarter({ kind: 'up' });
    cli.io.err(
      `davit is up after ${((performance.now() - started) / 1000).toFixed(1)} s: ${running.run.server}\n`,
    );
    if (options.demo) {
      const { demo } = await import('./demo.ts');
      cli.exit = await demo(cli, { ...running, interrupts, progress });
    }
    if (!options.once) await serve(cli, running, interrupts.first);
  } finally {
    cli.io.err('Stopping…\n');
    await running.stop();
    interrupts.end();
  }
}

/** Prints each line, and forwards it to the process that started this one in the background. */
function sessionProgress(cli: Cli): Progress {
  return lineProgress((line) => {
    cli.io.err(`${line}\n`);
    notifyStarter({ kind: 'line', text: line });
  }, cli.io.errColor);
}

function tellFailure(error: unknown): void {
  const coded = error instanceof DavitError ? error : new DavitError('internal/defect', messageOf(error));
  notifyStarter({ kind: 'failed', code: coded.code, message: coded.message, hint: coded.hint });
}

async function serve(cli: Cli, { run }: Up, signal: AbortSignal): Promise<void> {
  const ui = run.temporalUi ? `  Temporal UI: ${run.temporalUi}` : '';
  cli.io.err(`Running until Ctrl-C.${ui}\n`);
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
