import { getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import {
  SIGNALS,
  type PipelineEnded,
  type PipelineInput,
  type PipelineState,
} from '../../src/plan/model/protocol.ts';

/** Reports to the project that this run is over, so that its locks are free. */
export async function reportEnd(input: PipelineInput, state: PipelineState): Promise<void> {
  const ended: PipelineEnded = { id: input.id, runId: workflowInfo().runId, state };
  try {
    await getExternalWorkflowHandle(projectWorkflowId(input.trigger.project)).signal(
      SIGNALS.pipelineEnded,
      ended,
    );
  } catch {
    // Without a project workflow this pipeline is not counted as running.
  }
}
