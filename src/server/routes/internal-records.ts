/** Records for workers. What the server alone decides by is not theirs to write. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { DEPLOY_TOKENS, FORGE_REFS_PREFIX } from '../../plan/model/records.ts';
import type { ServerDeps } from '../deps.ts';
import type { MachineRules } from '../machine-rules.ts';

export function internalRecordRoutes(
  app: FastifyInstance,
  { records }: ServerDeps,
  rules: MachineRules,
): void {
  const config = { access: 'worker' } as const;
  app.post(`${INTERNAL}/records/put-if-absent`, { config }, async ({ body, machine }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    rules.record(machine, name, 'other');
    return records.putIfAbsent(name, value);
  });
  app.post(`${INTERNAL}/records/put`, { config }, async ({ body, machine }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    rules.record(machine, name, 'write');
    await records.put(name, value);
    return {};
  });
  app.post(`${INTERNAL}/records/get`, { config }, async ({ body, machine }) => {
    const { name } = BODIES.getRecord.parse(body);
    rules.record(machine, name, 'read');
    return { value: await records.get<unknown>(name) };
  });
  app.post(`${INTERNAL}/records/list`, { config }, async ({ body, machine }) => {
    const { prefix, limit } = BODIES.listRecords.parse(body);
    rules.record(machine, prefix, 'other');
    return records.list(prefix, limit);
  });
  app.post(`${INTERNAL}/records/allocate`, { config }, async ({ body, machine }) => {
    const { counter, claim, count } = BODIES.allocate.parse(body);
    rules.record(machine, counter, 'other');
    return { first: await records.allocate(counter, claim, count) };
  });
}

function writable<T extends { name: string }>(record: T): T {
  if (record.name.startsWith(FORGE_REFS_PREFIX))
    throw new DavitError('auth/denied', 'A worker may not write what the forge protects.');
  if (record.name.startsWith(DEPLOY_TOKENS))
    throw new DavitError('auth/denied', 'A worker may not write deploy tokens.');
  return record;
}
