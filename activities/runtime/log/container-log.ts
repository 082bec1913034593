/**
 * Role: the log of an attempt that runs in a container, from records of the engine to acknowledged chunks in
 * the store.
 * Not its role: reading the engine (`follow.ts`), sending (`appender.ts`), the text of davit's lines
 * (`supervise.ts`).
 *
 * Invariants:
 *  LOG-1 The log is a function of the engine's records and of davit's own lines before and after them:
 *        neither chunk sizes, nor timers, nor crashes change a byte.
 *  LOG-2 A checkpoint is taken where a record ends and the masker holds nothing back, and is sent with bytes
 *        that reach it. A new follower that starts there makes the same bytes again, and the store accepts
 *        them as repeats.
 *  LOG-3 One append is in progress at a time. A writer waits while many bytes are waiting to be sent: the
 *        engine's own log is the buffer while the store is unreachable.
 *  LOG-4 `log/fenced` means that a newer dispatch writes this log. This one never writes again.
 *  LOG-5 davit's own lines are before the first record and behind the last, never in between: a resume would
 *        break LOG-1.
 *  LOG-6 A last line of the output without a newline ends before davit's own lines. So no checkpoint is taken within a
 *        line: a new follower has to see how the output ends.
 *  LOG-7 davit's own lines begin with a mark, which nothing that a job prints has: it is masked there.
 */
import type { LogCheckpoint, LogRecord } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { type Automaton, maskText } from '../../../src/masking/index.ts';
import { OWN_LINE, ownLine } from '../../../src/plan/model/log-mark.ts';
import type { LogSummary } from '../../../src/plan/model/outcome.ts';
import { Appender, type AppenderOptions, notice } from './appender.ts';
import { withoutEndMark } from './end-mark.ts';
import { OutputFilter } from './output-filter.ts';

export interface ContainerLogOptions extends AppenderOptions {
  capBytes: number;
  /** Name of the container that writes the log; its end mark is not part of the log. */
  container?: string;
}

const encoder = new TextEncoder();
const NEWLINE = 0x0a;

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  #masks: Automaton | undefined;
  #output = new OutputFilter(undefined);
  readonly #appender: Appender;
  #position: LogCheckpoint;
  #incomplete = false;
  #recordsOver = false;
  #conflict = false;
  #withheld = false;
  #endRead = false;
  /** What was written last is a line of the output that has not ended. */
  #inLine = false;

  private constructor(options: ContainerLogOptions, appender: Appender, position: LogCheckpoint) {
    this.#options = options;
    this.#appender = appender;
    this.#position = position;
  }

  /** Raises the epoch at the store and continues at the last checkpoint. Rejects with `log/fenced`. */
  static async open(options: ContainerLogOptions): Promise<ContainerLog> {
    const appender = await Appender.open(options, (state) => state.checkpoint?.offset ?? state.offset);
    const { checkpoint, offset } = appender.state;
    const position = checkpoint ?? { engineTime: '', recordsAtTime: 0, offset };
    return new ContainerLog(options, appender, { ...position });
  }

  /** Sets the values to mask; called before anything is written. */
  hide(masks: Automaton | undefined): void {
    this.#masks = masks;
    this.#output = new OutputFilter(masks);
  }

  /** A text for people, with masked values replaced. */
  masked(text: string): string {
    return maskText(this.#masks, text);
  }

  /**
   * Where to start reading the engine's log. Records at `engineTime` come again; the number of known ones is
   * given.
   */
  get position(): Readonly<LogCheckpoint> {
    return this.#position;
  }
  /** Set if a former epoch has closed this log: nothing can be added. */
  get ended(): LogSummary | undefined {
    return this.#appender.state.ended;
  }

  /**
   * Lines before the first record or behind the last. The last lines leave the checkpoint at the end of the
   * records, so that a resume writes them again at the same position.
   */
  say(text: string): void {
    if (this.ended) return;
    this.#put(encoder.encode(ownLine(maskText(this.#masks, `${text}\n`))));
  }

  /** What another container has said, between davit's own lines. */
  quote(text: string): void {
    if (this.ended) return;
    const said = maskText(this.#masks, `${text}\n`).replaceAll(OWN_LINE, '[MASKED]');
    this.#put(encoder.encode(said));
  }

  /**
   * Takes a record of the engine; waits while the store is behind. Throws the error that made appending
   * impossible.
   */
  async record(record: LogRecord): Promise<void> {
    if (this.ended) return;
    const { container } = this.#options;
    const last = container === undefined ? undefined : withoutEndMark(record.bytes, container);
    this.#endRead ||= last !== undefined;
    const same = record.time === this.#position.engineTime;
    const recordsAtTime = same ? this.#position.recordsAtTime + 1 : 1;
    this.#putOutput(this.#output.push(last ?? record.bytes));
    this.#position = { engineTime: record.time, recordsAtTime, offset: this.#appender.end };
    // No checkpoint behind the mark: the dispatch that resumes must read it too.
    if (!last && this.#output.idle && !this.#inLine) this.#appender.mark(this.#position);
    await this.#appender.drain();
  }

  /** Whether the container's own last line was read: then all lines before it were. */
  get endRead(): boolean {
    return this.#endRead;
  }

  /** The engine's log is at its end. */
  recordsEnded(): void {
    if (this.#recordsOver || this.ended) return;
    this.#putOutput(this.#output.flush());
    this.#recordsOver = true;
  }

  /** Records from here on must not be written: the values to mask are unknown. */
  withhold(text: string): void {
    this.lost(text);
    this.#withheld = true;
  }

  /** Records were lost before they were read: the log reports that and is marked incomplete. */
  lost(text: string): void {
    this.#incomplete = true;
    if (this.ended) return;
    if (this.#inLine) this.#appender.put(encoder.encode('\n'));
    this.#inLine = false;
    this.#appender.put(notice(text));
  }

  /** Everything written so far is durable in the store. */
  async flush(): Promise<void> {
    try {
      await this.#appender.flush();
    } catch (error) {
      // A former follower got further and wrote a different end, which stays.
      if (!(this.#recordsOver && error instanceof DavitError && error.code === 'log/offset')) throw error;
      this.#conflict = true;
    }
  }

  /** Closes the log. */
  async end(): Promise<LogSummary> {
    if (this.ended) return this.ended;
    await this.flush();
    if (this.#conflict) await this.#appender.refresh();
    return this.#appender.close(!this.#incomplete);
  }

  /** Nothing more is sent: the next follower continues at the last checkpoint. */
  abandon(): void {
    this.#appender.abandon();
  }

  /** davit's own (LOG-6). */
  #put(bytes: Uint8Array): void {
    if (this.#inLine) this.#appender.put(encoder.encode('\n'));
    this.#inLine = false;
    this.#appender.put(bytes);
    if (this.#recordsOver) return;
    this.#position = { ...this.#position, offset: this.#appender.end };
    this.#appender.mark(this.#position);
  }

  #putOutput(bytes: Uint8Array): void {
    if (this.#withheld || bytes.length === 0) return;
    this.#appender.putCapped(bytes);
    // The notice of a log that was cut ends its line.
    this.#inLine = !this.#appender.capped && bytes.at(-1) !== NEWLINE;
  }
}
