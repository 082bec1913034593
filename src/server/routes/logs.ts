/** Logs for people: by offset, and as they grow. Follows are pushed by the log store of this process. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { LogRef, LogState } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import { crcText } from '../../plan/model/outcome.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { LogChunkEvent, LogEndEvent } from '../api.ts';
import type { ServerDeps } from '../deps.ts';
import { eventStream, lastEventId } from '../events.ts';
import { isFinal, type Views } from '../views.ts';
import { logQueryOf, missing, pipelineOf } from './params.ts';

const CHUNK = 64 * 1_024;
const NOTHING: LogState = { offset: 0, crc: 0, epoch: 0, incomplete: false };

/**
 * `log` answers the bytes from `offset` to where the log ends now; headers say what they are:
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
  app.get('/api/v1/pipelines/:slug/:iid/log', reader, async ({ params, query }, reply) => {
    const { ref, offset } = await find(params, query);
    const state = await deps.logs.state(ref);
    if (!state) throw missing(`log of ${ref.job}, attempt ${ref.attempt}, yet`);
    reply
      .headers({
        'x-davit-log-attempt': ref.attempt,
        'x-davit-log-offset': offset,
        'x-davit-log-bytes': state.offset,
        'x-davit-log-ended': String(state.ended !== undefined),
        'x-davit-log-complete': String(
          state.ended?.complete ?? !(state.incomplete || (await isLeft(views, ref))),
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

type OfJob = Pick<LogRef, 'pipeline' | 'job'>;

/** While Temporal or the workflow is silent, the last that has written: who looks for the reason then finds it in the logs. */
async function lastAttempt(deps: Pick<ServerDeps, 'logs'>, views: Views, of: OfJob): Promise<number> {
  try {
    const job = (await views.status(of.pipeline)).jobs.find((one) => one.key === of.job);
    if (!job) throw missing(`job ${of.job} in ${of.pipeline}`);
    return Math.max(1, job.attempt);
  } catch (error) {
    const last = isSilence(error) ? await lastWritten(deps, of) : undefined;
    if (last === undefined) throw error;
    return last;
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof DavitError &&
  (error.code === 'temporal/unreachable' || error.code === 'pipeline/no-answer');

/** An attempt that nobody took has no log; so many in a row are not there. */
const MAX_ATTEMPTS_WITHOUT_LOG = 3;
async function lastWritten({ logs }: Pick<ServerDeps, 'logs'>, of: OfJob): Promise<number | undefined> {
  let last: number | undefined;
  for (let attempt = 1; attempt <= (last ?? 0) + MAX_ATTEMPTS_WITHOUT_LOG; attempt += 1)
    if (await logs.state({ ...of, attempt })) last = attempt;
  return last;
}

async function* pieces(
  { logs }: Pick<ServerDeps, 'logs'>,
  ref: LogRef,
  { from, to }: { from: number; to: number },
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; ) {
    const { bytes } = await logs.read(ref, at, Math.min(CHUNK, to - at));
    if (bytes.length === 0) return;
    yield bytes;
    at += bytes.length;
  }
}

/** True when its job goes on no more, so that nobody will close it. Without word from Temporal it counts as being written. */
async function isLeft(views: Views, ref: LogRef): Promise<boolean> {
  try {
    return isOver(await views.status(ref.pipeline), ref);
  } catch {
    return false; // what is there is told, and that it has no end is told too
  }
}

function isOver(status: PipelineStatus, ref: LogRef): boolean {
  const job = status.jobs.find((one) => one.key === ref.job);
  return isFinal(status.state) || !job || job.attempt > ref.attempt || job.phase === 'ended';
}

/** Sends what is there, then what comes, then `end`; also when the job ended and nobody ever closed its log. */
async function follow(
  deps: ServerDeps,
  views: Views,
  of: { ref: LogRef; offset: number; reply: FastifyReply },
): Promise<void> {
  const { ref } = of;
  await views.status(ref.pipeline).catch(async (error: unknown) => {
    if (!isSilence(error) || !(await deps.logs.state(ref))) throw error;
  });
  const events = eventStream(of.reply);
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
    for (let offset = of.offset; !events.gone.aborted; ) {
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
    if (!events.gone.aborted) deps.log.warn('a follower of a log was cut off', { cause: String(error) });
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

/** Remembers a ring until somebody has waited for it. */
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
