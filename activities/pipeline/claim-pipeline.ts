import type { RecordStore } from '../../src/adapters/ports.ts';
import { claimName, COUNTERS, type ClaimRecord } from '../../src/plan/model/records.ts';
import type { ControlActivities } from '../contract.ts';
import { sha256 } from '../../src/utils/sha256.ts';

/**
 * At most one pipeline per event key, permanently, and a number that no other pipeline has. Both are in the
 * record store, so that neither Temporal's retention nor a lost Temporal database repeats them. The key's
 * hash identifies the claim of both counters: the same key gets the same numbers even if the process dies
 * between any two steps here.
 */
export function makeClaimPipeline(deps: { records: RecordStore }): ControlActivities['claimPipeline'] {
  return async (input) => {
    const hash = sha256(input.key);
    const name = claimName(input.project, hash);
    const known = await deps.records.get<ClaimRecord>(name);
    const claim = known ?? (await take(deps.records, name, { ...input, hash }));
    return { iid: claim.iid, number: claim.number, fresh: claim.claimId === input.claimId };
  };
}

async function take(
  records: RecordStore,
  name: string,
  input: { project: string; claimId: string; deliveryId: string; hash: string },
): Promise<ClaimRecord> {
  const [iid, number] = await Promise.all([
    records.allocate(COUNTERS.iid(input.project), input.hash, 1),
    // The counter belongs to the installation: another project may have had an event with the same key.
    records.allocate(COUNTERS.pipelines, `${input.project}.${input.hash}`, 1),
  ]);
  const { value } = await records.putIfAbsent<ClaimRecord>(name, {
    claimId: input.claimId,
    deliveryId: input.deliveryId,
    iid,
    number,
  });
  return value;
}
