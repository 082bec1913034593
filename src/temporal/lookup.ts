/** What activities may ask of Temporal (port WorkflowLookup). */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { WorkflowLookup } from '../adapters/ports.ts';

/** A run that Temporal no longer knows is past its retention: closed. No answer rejects, and is no answer. */
export function workflowLookup(client: Client): WorkflowLookup {
  return {
    async isClosed(workflowId, runId) {
      try {
        const { status } = await client.workflow.getHandle(workflowId, runId).describe();
        return status.name !== 'RUNNING' && status.name !== 'PAUSED';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return true;
        throw error;
      }
    },
  };
}
