/** Questions to workflows: a worker that may not answer yet (`workflows/interceptors.ts`) is asked again. */
import { setTimeout as delay } from 'node:timers/promises';
import { QueryNotRegisteredError, type Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { QUERY_NOT_READY, QUERY_CLOSED } from '../plan/model/protocol.ts';

const MAX_QUERIES = 10;
const PAUSE_MS = 50;

/** By then the workflow has had its task, or is replayed: mostly the second answer comes. */
export const questions = (
  { workflowService }: Pick<Connection, 'workflowService'>,
  namespace: string,
): WorkflowClientInterceptor => ({
  async query(input, next) {
    let asked = input;
    for (let tries = 1; ; tries += 1)
      try {
        return await next(asked);
      } catch (error) {
        if (!isEarly(error) || tries === MAX_QUERIES) throw error;
        const { workflowExecution: execution } = input;
        const { workflowExecutionInfo: info } = await workflowService.describeWorkflowExecution({
          namespace,
          execution,
        });
        if (info?.closeTime) asked = { ...input, headers: { ...input.headers, [QUERY_CLOSED]: YES } };
        else await delay(PAUSE_MS * tries);
      }
  },
});

const YES = defaultPayloadConverter.toPayload(true);

const isEarly = (error: unknown): boolean =>
  error instanceof QueryNotRegisteredError && error.message.includes(QUERY_NOT_READY);
