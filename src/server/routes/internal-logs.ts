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
import type { MachineRules } from '../machine-rules.ts';

const MAX_CHUNK = 2 * 1_024 * 1_024;

export function internalLogRoutes(app: FastifyInstance, { logs }: ServerDeps, rules: MachineRules): void {
  const config = { access: 'worker' } as const;
  app.addContentTypeParser(FRAME_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post(`${INTERNAL}/logs/open`, { config }, async ({ body, machine }) => {
    const { ref, epoch } = BODIES.openLog.parse(body);
    await rules.log(machine, ref.pipeline);
    return logs.open(ref, epoch);
  });
  app.post(`${INTERNAL}/logs/append`, { config, bodyLimit: MAX_CHUNK }, async ({ body, machine }) => {
    if (!Buffer.isBuffer(body))
      throw new DavitError('usage/invalid', `The content type must be ${FRAME_TYPE}.`);
    const { head, bytes } = decodeFrame(body);
    const { ref, ...chunk } = BODIES.appendLog.parse(head);
    await rules.log(machine, ref.pipeline);
    return logs.append(ref, { ...chunk, bytes });
  });
  app.post(`${INTERNAL}/logs/end`, { config }, async ({ body, machine }) => {
    const { ref, ...end } = BODIES.endLog.parse(body);
    await rules.log(machine, ref.pipeline);
    return logs.end(ref, end);
  });
  app.post(`${INTERNAL}/logs/state`, { config }, async ({ body, machine }) => {
    const { ref } = BODIES.stateOfLog.parse(body);
    await rules.log(machine, ref.pipeline);
    return { value: await logs.state(ref) };
  });
  app.post(`${INTERNAL}/logs/read`, { config }, async ({ body, machine }, reply) => {
    const { ref, offset, limit } = BODIES.readLog.parse(body);
    await rules.log(machine, ref.pipeline);
    const { bytes, state } = await logs.read(ref, offset, limit);
    return reply
      .header(LOG_STATE_HEADER, JSON.stringify(state))
      .type(BYTES_TYPE)
      .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}
