/** Records for attempts and control workers. What the server alone decides by is not theirs to write. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { FORGE_REFS_PREFIX, SERVER_ONLY_PREFIXES } from '../../plan/model/records.ts';
import type { ServerDeps } from '../deps.ts';
import type { AttemptRules } from '../attempts/attempt-rules.ts';

export function internalRecordRoutes(
  app: FastifyInstance,
  { records }: ServerDeps,
  rules: AttemptRules,
): void {
  const config = { access: 'attempt' } as const;
  const control = { config: { access: 'control' } } as const;
  app.post(`${INTERNAL}/records/put-if-absent`, control, async ({ body }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    return records.putIfAbsent(name, value);
  });
  app.post(`${INTERNAL}/records/put`, { config }, async ({ body, attempt }) => {
    const { name, value } = writable(BODIES.putRecord.parse(body));
    if (attempt) await rules.record(attempt, name, { value });
    await records.put(name, value);
    return {};
  });
  app.post(`${INTERNAL}/records/get`, { config }, async ({ body, attempt }) => {
    const { name } = open(BODIES.getRecord.parse(body));
    if (attempt) await rules.record(attempt, name);
    const value = await records.get<unknown>(name);
    if (attempt) rules.looked(attempt, value);
    return { value };
  });
  app.post(`${INTERNAL}/records/list`, control, async ({ body }) => {
    const { prefix, limit } = BODIES.listRecords.parse(body);
    return records.list(open({ name: prefix }).name, limit);
  });
  app.post(`${INTERNAL}/records/allocate`, control, async ({ body }) => {
    const { counter, claim, count } = BODIES.allocate.parse(body);
    return { first: await records.allocate(counter, claim, count) };
  });
}

function writable<T extends { name: string }>(record: T): T {
  if (!record.name.startsWith(FORGE_REFS_PREFIX)) return open(record);
  throw new DavitError('auth/denied', 'A worker may not write what the forge protects.');
}

function open<T extends { name: string }>(record: T): T {
  if (!SERVER_ONLY_PREFIXES.some((prefix) => `${record.name}/`.startsWith(prefix))) return record;
  throw new DavitError('auth/denied', `The record ${record.name} is for the server alone.`);
}
