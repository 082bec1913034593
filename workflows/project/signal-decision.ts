import { getExternalWorkflowHandle } from '@temporalio/workflow';
import { pipelineWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import { SIGNALS, type Decision } from '../../src/plan/model/protocol.ts';

/** Sends a decision to an open pipeline. False: it has closed, and the project reruns it from its record. */
export async function signalDecision(pipeline: PipelineId, decision: Decision): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(pipeline)).signal(SIGNALS.decide, decision);
    return true;
  } catch {
    return false; // closed, which is the result
  }
}
