import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { PipelineState } from '../../src/plan/model/protocol.ts';
import type { WorkflowEnd } from '../../src/plan/policy/workflow-end.ts';

/**
 * Throws what ends the workflow as its pipeline did; returns where it completes. The verdict is recorded by then. The
 * details of a failure are the state, which is the result of a workflow that completes.
 */
export function throwEnd(end: WorkflowEnd, state: PipelineState, of: { cancelSeen: boolean }): void {
  if (end.as === 'completed') return;
  if (end.as === 'canceled' && of.cancelSeen) throw new CancelledFailure(end.message);
  const type = end.as === 'canceled' ? 'canceled' : end.type;
  const failure = ApplicationFailure.create({
    message: end.message,
    type,
    nonRetryable: true,
    details: [state],
  });
  // Where davit's code has made the failure says nothing to a person.
  failure.stack = '';
  throw failure;
}
