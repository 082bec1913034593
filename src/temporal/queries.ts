/** Repeats queries that a worker may not answer yet (`workflows/interceptors.ts`). */
import { setTimeout as delay } from 'node:timers/promises';
import { QueryNotRegisteredError, type Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { QUERY_NOT_READY, QUERY_CLOSED } from '../plan/model/protocol.ts';

const MAX_QUERIES = 10;
const PAUSE_MS = 50;

/** By the next query the workflow has had its task, or was replayed: usually the second one succeeds. */
export const queryRetries = (
  { workflowService }: Pick<Connection, 'workflowService'>,
  namespace: string,
): WorkflowClientInterceptor => ({
  async query(input, next) {
    let request = input;
    for (let attempt = 1; ; attempt += 1)
      try {
        return await next(request);
      } catch (error) {
        if (!isNotReady(error) || attempt === MAX_QUERIES) throw error;
        const { workflowExecution: execution } = input;
        const { workflowExecutionInfo: info } = await workflowService.describeWorkflowExecution({
          namespace,
          execution,
        });
        if (info?.closeTime) request = { ...input, headers: { ...input.headers, [QUERY_CLOSED]: YES } };
        else await delay(PAUSE_MS * attempt);
      }
  },
});

const YES = defaultPayloadConverter.toPayload(true);

const isNotReady = (error: unknown): boolean =>
  error instanceof QueryNotRegisteredError && error.message.includes(QUERY_NOT_READY);
