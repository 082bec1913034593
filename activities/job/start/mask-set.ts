/**
 * The values that the log of one attempt must not show, stored encrypted while the attempt lives: a follower
 * that resumes masks the same values, even if a secret has been changed meanwhile.
 */
import { maskRecordName } from '../../../src/plan/model/records.ts';
import type { RecordStore, Secrets } from '../../../src/adapters/ports.ts';
import { type Automaton, maskAutomaton, maskPatterns } from '../../../src/masking/index.ts';

interface MaskRecord {
  /** base64; empty after the attempt was released. */
  sealed: string;
}
type Stores = { records: RecordStore; secrets: Secrets };

export const masksOf = (values: readonly string[]): Automaton | undefined =>
  maskAutomaton(maskPatterns(values));

/** Durable before the container starts. */
export async function saveMasks(stores: Stores, attempt: string, values: readonly string[]): Promise<void> {
  const plain = new TextEncoder().encode(JSON.stringify(values));
  const sealed = Buffer.from(await stores.secrets.seal(plain)).toString('base64');
  await stores.records.put<MaskRecord>(maskRecordName(attempt), { sealed });
}

/** Undefined if it was deleted already: then nothing may be written to the log. */
export async function loadMasks(stores: Stores, attempt: string): Promise<string[] | undefined> {
  const record = await stores.records.get<MaskRecord>(maskRecordName(attempt));
  if (!record?.sealed) return undefined;
  const plain = await stores.secrets.unseal(Buffer.from(record.sealed, 'base64'));
  const values: unknown = JSON.parse(new TextDecoder().decode(plain));
  return Array.isArray(values) ? values.map(String) : undefined;
}

/** The attempt is over: its secrets are deleted from the store. */
export const deleteMasks = (stores: Pick<Stores, 'records'>, attempt: string): Promise<void> =>
  stores.records.put<MaskRecord>(maskRecordName(attempt), { sealed: '' });
