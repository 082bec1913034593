/** Records for workers. What the server alone decides by is not theirs to write. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { FORGE_REFS_PREFIX } from '../../plan/model/records.ts';
import type { ServerDeps } from '../deps.ts';

export function internalRecordRoutes(app: FastifyInstance, { records }: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.post(`${INTERNAL}/records/put-if-absent`, { config }, async ({ body }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    return records.putIfAbsent(name, value);
  });
  app.post(`${INTERNAL}/records/put`, { config }, async ({ body }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    await records.put(name, value);
    return {};
  });
  app.post(`${INTERNAL}/records/get`, { config }, async ({ body }) => ({
    value: await records.get<unknown>(BODIES.getRecord.parse(body).name),
  }));
  app.post(`${INTERNAL}/records/list`, { config }, async ({ body }) => {
    const { prefix, limit } = BODIES.listRecords.parse(body);
    return records.list(prefix, limit);
  });
  app.post(`${INTERNAL}/records/allocate`, { config }, async ({ body }) => {
    const { counter, claim, count } = BODIES.allocate.parse(body);
    return { first: await records.allocate(counter, claim, count) };
  });
}

function writable<T extends { name: string }>(record: T): T {
  if (!record.name.startsWith(FORGE_REFS_PREFIX)) return record;
  throw new DavitError('auth/denied', 'A worker may not write what the forge protects.');
}
