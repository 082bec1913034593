/** What a worker runs now, by the activities that it has; and how one that comes through a closed gate goes back. */
import type { Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor, ActivityInterceptors } from '@temporalio/worker';
import { requeue } from '../../../activities/runtime/failures.ts';
import type { RunningJob } from '../../../src/plan/model/fleet.ts';
import { parseActivityId } from '../../../src/plan/model/ids.ts';
import type { Gate } from './gate.ts';

const PIPELINE = 'pipeline/';

export class RunningJobs {
  readonly #running = new Set<RunningJob>();
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure` gets every failure of an activity. */
  constructor(onFailure: (error: unknown) => void = () => undefined) {
    this.#onFailure = onFailure;
  }

  list = (): RunningJob[] => [...this.#running];

  /** For `Worker.create`. Without a gate: of a queue whose work has to be taken always. */
  interceptor(gate?: Gate): (context: Context) => ActivityInterceptors {
    return ({ info }) => ({ inbound: this.#inbound(runningJobOf(info), gate) });
  }

  #inbound(job: RunningJob | undefined, gate: Gate | undefined): ActivityInboundCallsInterceptor {
    return {
      execute: async (input, next) => {
        if (gate?.why !== undefined) throw requeue(gate.why);
        if (job) this.#running.add(job);
        try {
          return await next(input);
        } catch (error) {
          this.#onFailure(error);
          throw error;
        } finally {
          if (job) this.#running.delete(job);
        }
      },
    };
  }
}

/** Undefined: it is not of an attempt, or it only stops one. */
function runningJobOf({
  activityId,
  workflowExecution,
}: Pick<Context['info'], 'activityId' | 'workflowExecution'>): RunningJob | undefined {
  const workflow = workflowExecution?.workflowId ?? '';
  const of = parseActivityId(activityId);
  if (!of || !workflow.startsWith(PIPELINE)) return undefined;
  return { pipeline: workflow.slice(PIPELINE.length), job: of.job, attempt: of.attempt };
}
