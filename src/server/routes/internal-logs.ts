/** Logs for attempts and control workers. Older dispatches are fenced here, because the store knows the highest epoch. */
import type { FastifyInstance } from 'fastify';
import {
  BODIES,
  BYTES_TYPE,
  decodeFrame,
  FRAME_TYPE,
  INTERNAL,
  LOG_STATE_HEADER,
} from '../../adapters/http/wire.ts';
import type { LogRef } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import type { ServerDeps } from '../deps.ts';
import type { AttemptClaims } from '../attempts/attempt-token.ts';
import type { AttemptRules } from '../attempts/attempt-rules.ts';

const MAX_CHUNK = 2 * 1_024 * 1_024;

export function internalLogRoutes(app: FastifyInstance, { logs }: ServerDeps, rules: AttemptRules): void {
  const config = { access: 'attempt' } as const;
  const mayUse = (attempt: AttemptClaims | undefined, ref: LogRef, epoch?: number): void => {
    if (attempt) rules.log(attempt, ref, epoch);
  };
  app.addContentTypeParser(FRAME_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post(`${INTERNAL}/logs/open`, { config }, async ({ body, attempt }) => {
    const { ref, epoch } = BODIES.openLog.parse(body);
    mayUse(attempt, ref, epoch);
    return logs.open(ref, epoch);
  });
  app.post(`${INTERNAL}/logs/append`, { config, bodyLimit: MAX_CHUNK }, async ({ body, attempt }) => {
    if (!Buffer.isBuffer(body))
      throw new DavitError('usage/invalid', `The content type must be ${FRAME_TYPE}.`);
    const { head, bytes } = decodeFrame(body);
    const { ref, ...chunk } = BODIES.appendLog.parse(head);
    mayUse(attempt, ref, chunk.epoch);
    return logs.append(ref, { ...chunk, bytes });
  });
  app.post(`${INTERNAL}/logs/end`, { config }, async ({ body, attempt }) => {
    const { ref, ...end } = BODIES.endLog.parse(body);
    mayUse(attempt, ref, end.epoch);
    return logs.end(ref, end);
  });
  app.post(`${INTERNAL}/logs/state`, { config }, async ({ body, attempt }) => {
    const { ref } = BODIES.stateOfLog.parse(body);
    mayUse(attempt, ref);
    return { value: await logs.state(ref) };
  });
  app.post(`${INTERNAL}/logs/read`, { config }, async ({ body, attempt }, reply) => {
    const { ref, offset, limit } = BODIES.readLog.parse(body);
    mayUse(attempt, ref);
    const { bytes, state } = await logs.read(ref, offset, limit);
    return reply
      .header(LOG_STATE_HEADER, JSON.stringify(state))
      .type(BYTES_TYPE)
      .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}
