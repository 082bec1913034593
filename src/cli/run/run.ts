/** One `davit run`: starts and watches a pipeline, and handles Ctrl-C. */
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { Cli } from '../cli.ts';
import type { Interrupts } from '../interrupts.ts';
import type { PlanOptions } from '../local/plan-options.ts';
import { statusText } from '../view/status-view.ts';
import { cancelWithRetry } from './cancel.ts';
import { startPipeline, type SetUpOptions, type Started, type Until } from './start.ts';
import { watchPipeline } from './watch.ts';

const FAILED = 1;

export interface FollowOptions {
  /** Writes logs to standard output, or to standard error if standard output is for data. */
  write(text: string): void;
  color: boolean;
  onStatus?(status: PipelineStatus, client: ApiClient): void;
  interrupts: Interrupts;
}
export type RunOptions = PlanOptions & FollowOptions & SetUpOptions;

/**
 * Resolves with the last status; undefined, with `cli.exit` set, if nothing was started or the user left. The
 * first Ctrl-C cancels the pipeline and waits for the cleanup, the second stops waiting.
 */
export const runPipeline = (cli: Cli, options: RunOptions): Promise<PipelineStatus | undefined> =>
  followStarted(cli, options, (until) => startPipeline(cli, { ...options, ...until }));

/** The same for a pipeline that `start` requests; undefined of it: there is nothing to follow, which it has said. */
export async function followStarted(
  cli: Cli,
  options: FollowOptions,
  start: (until: Until) => Promise<Started | undefined>,
): Promise<PipelineStatus | undefined> {
  const { first, second } = options.interrupts;
  try {
    const started = await start({ signal: first, letGo: second });
    if (!started) return undefined;
    const { client, id } = started;
    const over = new AbortController();
    try {
      cli.io.err(`Pipeline ${id}\n`);
      tellUnread(cli, over.signal);
      const cancelled = cancelOn(cli, { client, id, first, over: over.signal });
      const onStatus = (status: PipelineStatus): void => options.onStatus?.(status, client);
      const last = await watchPipeline(cli, { ...options, client, id, onStatus, signal: second });
      if (last) return last;
      const subject = cancelled() ? `the cancellation of ${id}` : id;
      cli.io.err(`\nNo longer waiting; ${subject} continues. See it with: davit status ${id}\n`);
    } finally {
      over.abort();
      client.close();
    }
  } catch (error) {
    if (!first.aborted) throw error;
    cli.io.err('\nInterrupted.\n');
  }
  cli.exit = FAILED;
  return undefined;
}

/** A person who has left `| head` would not know what the command still waits for. */
function tellUnread(cli: Cli, over: AbortSignal): void {
  const tell = (): void =>
    cli.io.err('Nobody reads the output any more; waiting for the verdict of the pipeline.\n');
  cli.io.outClosed.addEventListener('abort', tell, { once: true, signal: over });
}

/** Returns a function that tells whether the server has accepted a cancel. */
function cancelOn(
  cli: Cli,
  { client, id, first, over }: { client: ApiClient; id: PipelineId; first: AbortSignal; over: AbortSignal },
): () => boolean {
  let taken = false;
  const onAway = (): void => cli.io.err('The server does not respond; retrying the cancel.\n');
  const cancel = (): void => {
    cli.io.err(`\nCancelling ${id} and cleaning up; press Ctrl-C again to return without waiting.\n`);
    cancelWithRetry(client, { id, signal: over, onAway }).then(
      (done) => {
        taken = done;
      },
      (error: unknown) => {
        // The pipeline has ended meanwhile: the watch shows its outcome.
        cli.io.err(`${error instanceof Error ? error.message : 'The server did not accept the cancel.'}\n`);
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
