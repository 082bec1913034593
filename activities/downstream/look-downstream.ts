import type { RecordStore, WorkflowLookup } from '../../src/adapters/ports.ts';
import { pipelineWorkflowId } from '../../src/plan/model/ids.ts';
import { pipelineRecordName, type PipelineEntry } from '../../src/plan/model/records.ts';
import type { ControlActivities } from '../contract.ts';

/**
 * Whether a pipeline that does not report still exists; for a closed pipeline, its outcome from the record.
 */
export function makeLookDownstream(deps: {
  records: RecordStore;
  workflows: WorkflowLookup;
}): ControlActivities['lookDownstream'] {
  return async ({ id }) => {
    if (!(await deps.workflows.isClosed(pipelineWorkflowId(id)))) return { closed: false };
    const entry = await deps.records.get<PipelineEntry>(pipelineRecordName(id));
    return { closed: true, ...(entry && { state: entry.summary.state }) };
  };
}
