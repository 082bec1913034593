import { getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import {
  SIGNALS,
  type PipelineEnded,
  type PipelineInput,
  type PipelineState,
} from '../../src/plan/model/protocol.ts';

/** Tells the project that this run is over, so that its locks are free. A project that is gone need not know. */
export async function tellEnded(input: PipelineInput, state: PipelineState): Promise<void> {
  const ended: PipelineEnded = { id: input.id, runId: workflowInfo().runId, state };
  try {
    await getExternalWorkflowHandle(projectWorkflowId(input.trigger.project)).signal(
      SIGNALS.pipelineEnded,
      ended,
    );
  } catch {
    // No project workflow: nobody counts this pipeline as running.
  }
}
