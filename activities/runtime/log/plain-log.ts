/**
 * The log of an attempt without a container: build output and davit's own lines, masked, in order.
 * `container-log.ts` follows an engine's log; both send through the Appender. There are no checkpoints here:
 * a later dispatch of the same attempt appends to the existing log. An unreachable store is waited for until
 * the activity has to end: a build or deployment is not lost because of its log.
 */
import { Context } from '@temporalio/activity';
import type { LogStore } from '../../../src/adapters/ports.ts';
import { type Automaton, maskText } from '../../../src/masking/index.ts';
import type { AttemptRef } from '../../../src/plan/model/ids.ts';
import { ownLine } from '../../../src/plan/model/log-mark.ts';
import type { LogSummary } from '../../../src/plan/model/outcome.ts';
import { Appender } from './appender.ts';
import { OutputFilter } from './output-filter.ts';

export interface AttemptLogOptions {
  automaton?: Automaton;
  /** Bytes after which the rest of the output is dropped, with a line that reports it. */
  maxBytes: number;
}

const encoder = new TextEncoder();

/** Raises the epoch at the store. Rejects with `log/fenced` if a newer dispatch writes. */
export async function openAttemptLog(
  store: LogStore,
  ref: AttemptRef,
  { automaton, maxBytes: capBytes }: AttemptLogOptions,
): Promise<AttemptLog> {
  const { cancellationSignal: signal } = Context.current();
  const appender = await Appender.open({ store, ref, epoch: ref.epoch, signal, capBytes });
  return new AttemptLog(appender, automaton);
}

export class AttemptLog {
  readonly #appender: Appender;
  readonly #masks: Automaton | undefined;
  readonly #output: OutputFilter;

  constructor(appender: Appender, automaton: Automaton | undefined) {
    this.#appender = appender;
    this.#masks = automaton;
    this.#output = new OutputFilter(automaton);
  }

  /** Never throws: stream handlers cannot wait. A failed write rejects the next `flush` or `end`. */
  write(text: string): void {
    this.#put(this.#output.push(encoder.encode(text)));
  }
  /** davit's own. */
  line(text: string): void {
    if (!this.#output.idle) this.write('\n');
    this.#put(this.#output.flush());
    this.#put(encoder.encode(ownLine(maskText(this.#masks, `${text}\n`))));
  }

  flush(): Promise<void> {
    return this.#appender.flush();
  }

  /** Closes the log; an end that an earlier dispatch has written stays. */
  async end(): Promise<LogSummary> {
    this.#put(this.#output.flush());
    await this.flush();
    return this.#appender.close(true);
  }

  #put(bytes: Uint8Array): void {
    if (!this.#appender.state.ended) this.#appender.putCapped(bytes);
  }
}
