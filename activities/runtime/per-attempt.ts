/** Gives an activity the ports of the attempt that it is for: what it writes, it writes with the attempt's token. */
import { Context } from '@temporalio/activity';
import type { AttemptOf, AttemptPorts } from '../../src/adapters/ports.ts';
import type { AttemptRef } from '../../src/plan/model/ids.ts';

export interface AttemptPortsOf {
  /** Absent in tests: then the worker's own ports are used. */
  attempt?(of: Omit<AttemptOf, 'identity'>): AttemptPorts;
}

export const perAttempt =
  <Deps extends AttemptPortsOf, Input extends { ref: AttemptRef }, Result>(
    deps: Deps,
    make: (deps: Deps) => (input: Input) => Promise<Result>,
  ): ((input: Input) => Promise<Result>) =>
  (input) =>
    make(withAttempt(deps, input.ref))(input);

/** For an activity that is for several attempts; `ref` is any of them. */
export function withAttempt<Deps extends AttemptPortsOf>(deps: Deps, ref: AttemptRef): Deps {
  if (!deps.attempt) return deps;
  const { activityId, workflowExecution } = Context.current().info;
  return { ...deps, ...deps.attempt({ ref, activityId, runId: workflowExecution?.runId ?? '' }) };
}
