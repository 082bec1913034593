/** What the project made of an accepted delivery: read from the store, and from Temporal where it started nothing. */
import type { RecordStore } from '../../adapters/ports.ts';
import type { Delivery, ShownDelivery } from '../../plan/model/delivery.ts';
import { pipelineId, type PipelineId } from '../../plan/model/ids.ts';
import {
  claimName,
  pipelineRecordName,
  type ClaimRecord,
  type PipelineEntry,
} from '../../plan/model/records.ts';
import { sha256 } from '../../utils/sha256.ts';
import type { Workflows } from '../workflow-port.ts';

interface ResultDeps {
  records: Pick<RecordStore, 'get'>;
  workflows: Pick<Workflows, 'lookup'>;
}
type Result = Pick<ShownDelivery, 'result' | 'pipeline' | 'state' | 'reason'>;

export async function shownDelivery(
  deps: ResultDeps,
  { answer, ...entry }: Delivery,
): Promise<ShownDelivery> {
  if (answer !== 'accepted' || entry.key === undefined)
    return { ...entry, result: answer === 'refused' ? 'refused' : 'ignored' };
  return { ...entry, ...(await acceptedResult(deps, { ...entry, key: entry.key })) };
}

type Accepted = Pick<Delivery, 'project' | 'delivery'> & { key: string };

async function acceptedResult(deps: ResultDeps, { project, key, delivery }: Accepted): Promise<Result> {
  const claim = (text: string): Promise<ClaimRecord | undefined> =>
    deps.records.get<ClaimRecord>(claimName(project, sha256(text)));
  // A commit that was pushed back, or deleted and pushed again, starts under the id of its delivery.
  const again = await claim(`${key}#${delivery}`);
  const first = again ?? (await claim(key));
  if (!first) return undecided(deps, { project, key });
  const pipeline = pipelineId(project, first.iid);
  if (first.deliveryId !== delivery)
    return { result: 'repeated', pipeline, reason: `${pipeline} was started for this event before.` };
  return { result: 'started', pipeline, ...(await stateOf(deps, pipeline)) };
}

async function stateOf({ records }: ResultDeps, pipeline: PipelineId): Promise<Pick<Result, 'state'>> {
  const state = (await records.get<PipelineEntry>(pipelineRecordName(pipeline)))?.summary.state;
  return state === undefined ? {} : { state };
}

async function undecided(
  deps: ResultDeps,
  { project, key }: Pick<Accepted, 'project' | 'key'>,
): Promise<Result> {
  let known: Awaited<ReturnType<Workflows['lookup']>>;
  try {
    known = await deps.workflows.lookup(project, key);
  } catch {
    return { result: 'unknown', reason: 'Temporal or the control worker does not respond.' };
  }
  switch (known?.state) {
    case 'queued':
      return { result: 'waiting', reason: 'The project has not decided yet.' };
    case 'started':
      return { result: 'started', ...(known.pipeline && { pipeline: known.pipeline }) };
    case 'duplicate':
      return {
        result: 'nothing',
        reason: 'The project knew this state of the ref, or a newer one, before the delivery arrived.',
        ...(known.pipeline && { pipeline: known.pipeline }),
      };
    case 'refused':
      return { result: 'refused', reason: known.message ?? 'The project refused it.' };
    default:
      return { result: 'unknown', reason: 'The project does not know this event (any more).' };
  }
}
