/** Logs for people: by offset, and as they grow. The log store of this process notifies followers. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { LogRef, LogState } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import { crcText } from '../../plan/model/outcome.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { LogChunkEvent, LogEndEvent } from '../api.ts';
import { ownPipeline } from '../access.ts';
import type { ServerDeps } from '../deps.ts';
import { eventStream, lastEventId } from '../events.ts';
import { isFinal, type Views } from '../views.ts';
import { logQueryOf, missing, pipelineOf } from './params.ts';

const CHUNK = 64 * 1_024;
const NOTHING: LogState = { offset: 0, crc: 0, epoch: 0, incomplete: false };

/**
 * `log` returns the bytes from `offset` to the current end, with headers:
 *   x-davit-log-attempt, x-davit-log-offset (of the first byte), x-davit-log-bytes (of the whole log so far),
 *   x-davit-log-ended, x-davit-log-complete (true | false)
 */
export function logRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  const reader = { config: { access: 'reader' } } as const;
  const find = async (params: unknown, query: unknown): Promise<{ ref: LogRef; offset: number }> => {
    const pipeline = pipelineOf(params);
    const { job, attempt, offset } = logQueryOf(query);
    return {
      ref: { pipeline, job, attempt: attempt ?? (await lastAttempt(deps, views, { pipeline, job })) },
      offset,
    };
  };
  const jobsToo = { config: { access: 'reader', jobs: true } } as const;
  app.get('/api/v1/pipelines/:slug/:iid/log', jobsToo, async (request, reply) => {
    const { params, query } = request;
    ownPipeline(request, pipelineOf(params));
    const { ref, offset } = await find(params, query);
    const state = await deps.logs.state(ref);
    if (!state) throw missing(`Attempt ${ref.attempt} of ${ref.job} has no log yet.`);
    reply
      .headers({
        'x-davit-log-attempt': ref.attempt,
        'x-davit-log-offset': offset,
        'x-davit-log-bytes': state.offset,
        'x-davit-log-ended': String(state.ended !== undefined),
        'x-davit-log-complete': String(
          state.ended?.complete ?? !(state.incomplete || (await isAbandoned(views, ref))),
        ),
      })
      .type('text/plain; charset=utf-8');
    return reply.send(
      Readable.from(pieces(deps, ref, { from: offset, to: state.offset }), { objectMode: false }),
    );
  });
  app.get('/api/v1/pipelines/:slug/:iid/log/follow', reader, async (request, reply) => {
    const { ref, offset } = await find(request.params, request.query);
    await follow(deps, views, { ref, offset: lastEventId(request) ?? offset, reply });
  });
}

type JobRef = Pick<LogRef, 'pipeline' | 'job'>;

/** If Temporal or the workflow does not respond, the last attempt with a log, so that logs stay readable. */
export async function lastAttempt(
  deps: Pick<ServerDeps, 'logs'>,
  views: Views,
  ref: JobRef,
): Promise<number> {
  try {
    const job = (await views.status(ref.pipeline)).jobs.find((one) => one.key === ref.job);
    if (!job) throw missing(`${ref.pipeline} has no job ${ref.job}.`);
    return Math.max(1, job.attempt);
  } catch (error) {
    const last = isSilence(error) ? await lastWritten(deps, ref) : undefined;
    if (last === undefined) throw error;
    return last;
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof DavitError &&
  (error.code === 'temporal/unreachable' || error.code === 'pipeline/no-answer');

/** An attempt without a worker has no log; the search ends after this number of them in a row. */
const MAX_ATTEMPTS_WITHOUT_LOG = 3;
async function lastWritten({ logs }: Pick<ServerDeps, 'logs'>, ref: JobRef): Promise<number | undefined> {
  let last: number | undefined;
  for (let attempt = 1; attempt <= (last ?? 0) + MAX_ATTEMPTS_WITHOUT_LOG; attempt += 1)
    if (await logs.state({ ...ref, attempt })) last = attempt;
  return last;
}

/** Bytes of a log, in chunks. */
export async function* pieces(
  { logs }: Pick<ServerDeps, 'logs'>,
  ref: LogRef,
  { from, to }: { from: number; to: number },
): AsyncGenerator<Uint8Array> {
  for (let offset = from; offset < to; ) {
    const { bytes } = await logs.read(ref, offset, Math.min(CHUNK, to - offset));
    if (bytes.length === 0) return;
    yield bytes;
    offset += bytes.length;
  }
}

/**
 * True if the job has ended, so that nothing will close its log. If the status is unknown, it counts as being
 * written.
 */
async function isAbandoned(views: Views, ref: LogRef): Promise<boolean> {
  try {
    return isOver(await views.status(ref.pipeline), ref);
  } catch {
    return false; // the log is returned as not ended
  }
}

function isOver(status: PipelineStatus, ref: LogRef): boolean {
  const job = status.jobs.find((one) => one.key === ref.job);
  return isFinal(status.state) || !job || job.attempt > ref.attempt || job.phase === 'ended';
}

/** Sends stored bytes, then new ones, then `end`; also if the job has ended without closing its log. */
async function follow(
  deps: ServerDeps,
  views: Views,
  request: { ref: LogRef; offset: number; reply: FastifyReply },
): Promise<void> {
  const { ref, reply } = request;
  await views.status(ref.pipeline).catch(async (error: unknown) => {
    if (!isSilence(error) || !(await deps.logs.state(ref))) throw error;
  });
  const events = eventStream(reply);
  const bell = new Bell();
  let over = false;
  const stops = [
    deps.logs.watch(ref, () => bell.ring()),
    views.watch(ref.pipeline, (status) => {
      over = isOver(status, ref);
      bell.ring();
    }),
  ];
  events.gone.addEventListener('abort', () => bell.ring(), { once: true });
  try {
    for (let { offset } = request; !events.gone.aborted; ) {
      const rung = bell.next();
      const last = over;
      const state = (await deps.logs.state(ref)) ?? NOTHING;
      for await (const bytes of pieces(deps, ref, { from: offset, to: state.offset })) {
        const { attempt } = ref;
        const event: LogChunkEvent = { attempt, offset, bytes: Buffer.from(bytes).toString('base64') };
        offset += bytes.length;
        await events.send('chunk', event, offset);
      }
      if (state.ended || last) return await sendEnd(events, state, offset);
      await rung;
    }
  } catch (error) {
    if (!events.gone.aborted) deps.log.warn('lost a follower of a log', { cause: String(error) });
  } finally {
    for (const stop of stops) stop();
    events.end();
  }
}

async function sendEnd(
  events: ReturnType<typeof eventStream>,
  state: LogState,
  offset: number,
): Promise<void> {
  const event: LogEndEvent = state.ended ?? { bytes: state.offset, crc: crcText(state.crc), complete: false };
  await events.send('end', event, offset);
}

/** A signal that is kept until it is awaited. */
class Bell {
  #waiting = Promise.withResolvers<void>();

  ring(): void {
    this.#waiting.resolve();
  }
  /** Resolves with the first ring after this call. */
  next(): Promise<void> {
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }
}
