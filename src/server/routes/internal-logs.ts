/** Logs for workers. Older dispatches are fenced here, because the store knows the highest epoch. */
import type { FastifyInstance } from 'fastify';
import {
  BODIES,
  BYTES_TYPE,
  decodeFrame,
  FRAME_TYPE,
  INTERNAL,
  LOG_STATE_HEADER,
} from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import type { ServerDeps } from '../deps.ts';

const MAX_CHUNK = 2 * 1_024 * 1_024;

export function internalLogRoutes(app: FastifyInstance, { logs }: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.addContentTypeParser(FRAME_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post(`${INTERNAL}/logs/open`, { config }, async ({ body }) => {
    const { ref, epoch } = BODIES.openLog.parse(body);
    return logs.open(ref, epoch);
  });
  app.post(`${INTERNAL}/logs/append`, { config, bodyLimit: MAX_CHUNK }, async ({ body }) => {
    if (!Buffer.isBuffer(body))
      throw new DavitError('usage/invalid', `The content type must be ${FRAME_TYPE}.`);
    const { head, bytes } = decodeFrame(body);
    const { ref, ...chunk } = BODIES.appendLog.parse(head);
    return logs.append(ref, { ...chunk, bytes });
  });
  app.post(`${INTERNAL}/logs/end`, { config }, async ({ body }) => {
    const { ref, ...end } = BODIES.endLog.parse(body);
    return logs.end(ref, end);
  });
  app.post(`${INTERNAL}/logs/state`, { config }, async ({ body }) => ({
    value: await logs.state(BODIES.stateOfLog.parse(body).ref),
  }));
  app.post(`${INTERNAL}/logs/read`, { config }, async ({ body }, reply) => {
    const { ref, offset, limit } = BODIES.readLog.parse(body);
    const { bytes, state } = await logs.read(ref, offset, limit);
    return reply
      .header(LOG_STATE_HEADER, JSON.stringify(state))
      .type(BYTES_TYPE)
      .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}
