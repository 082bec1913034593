/** One `davit run`: start, watch, and what Ctrl-C means on the way. */
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { Cli } from '../cli.ts';
import type { Interrupts } from '../interrupts.ts';
import type { PlanOptions } from '../local/local-plan.ts';
import { statusText } from '../view/status-view.ts';
import { cancelWithRetry } from './cancel.ts';
import { startPipeline } from './start.ts';
import { watchPipeline } from './watch.ts';

const FAILED = 1;

export interface RunOptions extends PlanOptions {
  /** Where logs go: standard output, or standard error when that is for data. */
  write(text: string): void;
  color: boolean;
  onStatus?(status: PipelineStatus, client: ApiClient): void;
  interrupts: Interrupts;
}

/**
 * The last status. Undefined when nothing was started, or when it was let go; `cli.exit` is set then. The first Ctrl-C cancels
 * the pipeline and waits until it has cleaned up, the second lets go of it.
 */
export async function runPipeline(cli: Cli, options: RunOptions): Promise<PipelineStatus | undefined> {
  const { first, second } = options.interrupts;
  try {
    const started = await startPipeline(cli, { ...options, signal: first, letGo: second });
    if (!started) return undefined;
    const { client, id } = started;
    const over = new AbortController();
    try {
      cli.io.err(`Pipeline ${id}\n`);
      const cancelled = cancelOn(cli, { client, id, first, over: over.signal });
      const onStatus = (status: PipelineStatus): void => options.onStatus?.(status, client);
      const last = await watchPipeline(cli, { ...options, client, id, onStatus, signal: second });
      if (last) return last;
      const what = cancelled() ? `the cancel of ${id}` : id;
      cli.io.err(`\nLeft alone; ${what} goes on. See it again with: davit status ${id}\n`);
    } finally {
      over.abort();
      await client.close();
    }
  } catch (error) {
    if (!first.aborted) throw error;
    cli.io.err('\nInterrupted.\n');
  }
  cli.exit = FAILED;
  return undefined;
}

/** Answers whether a cancel that was asked for has been taken. */
function cancelOn(
  cli: Cli,
  { client, id, first, over }: { client: ApiClient; id: PipelineId; first: AbortSignal; over: AbortSignal },
): () => boolean {
  let taken = false;
  const onAway = (): void => cli.io.err('The server does not answer; the cancel is asked for again.\n');
  const cancel = (): void => {
    cli.io.err(`\nCancelling ${id} and cleaning up; Ctrl-C again leaves it alone.\n`);
    cancelWithRetry(client, { id, signal: over, onAway }).then(
      (done) => {
        taken = done;
      },
      (error: unknown) => {
        // It ended by itself in the meantime: the watch goes on and shows how.
        cli.io.err(`${error instanceof Error ? error.message : 'The cancel was not taken.'}\n`);
      },
    );
  };
  if (first.aborted) cancel();
  else first.addEventListener('abort', cancel, { once: true, signal: over });
  return () => taken;
}

/** The table at the end. */
export const summaryText = (status: PipelineStatus, color: boolean): string =>
  `\n${statusText(status, { color, now: Date.now() })}`;
