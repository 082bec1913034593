/**
 * The only writer of one project: it drops repeated events, numbers and starts pipelines, has older ones
 * superseded, and holds the project's locks. It runs nothing itself and outlives every pipeline.
 *
 * PROJECT-1 One trigger at a time, in order of arrival; each is in `memory` before the first await that
 *           concerns it.
 * PROJECT-2 The start of a pipeline is awaited: what is counted as running has been started.
 * PROJECT-3 It continues as new only at a barrier: nothing pending, all handlers done, all of its state in
 *           the input.
 * PROJECT-4 Memory is bounded; what was dropped from it is looked up in the store.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import { emptyMemory } from '../../src/plan/policy/memory.ts';
import type { ProjectInput } from '../../src/plan/model/project-memory.ts';
import { Intake } from './intake.ts';
import { EnvironmentKeeper } from './environments.ts';
import { LockKeeper } from './lock-keeper.ts';
import { setProjectHandlers } from './handlers.ts';

/** Sooner than the server suggests, so that the replay of a project after a worker's restart stays short. */
const CONTINUE_AFTER_EVENTS = 3_000;

/** Workflow `project/SLUG`. It never ends, and ignores cancel requests, which could only lose its memory. */
export async function project(input: ProjectInput): Promise<void> {
  return CancellationScope.nonCancellable(() => keep(input));
}

async function keep(input: ProjectInput): Promise<void> {
  const memory = { ...emptyMemory(), ...input.memory };
  const limit = input.continueAfterEvents ?? CONTINUE_AFTER_EVENTS;
  const locks = new LockKeeper(memory);
  const intake = new Intake(input.project, memory);
  const environments = new EnvironmentKeeper(input.project, memory, (request) =>
    intake.enqueueRerun(request),
  );
  setProjectHandlers({ project: input.project, memory, locks, intake, environments });
  locks.watch();
  environments.watch();
  for (;;) {
    await condition(() => intake.hasWork || isLong(limit));
    if (intake.hasWork) await intake.next();
    else if (locks.idle) break;
    else await locks.settled();
  }
  await condition(allHandlersFinished);
  await continueAsNew<typeof project>({ ...input, memory });
}

const isLong = (limit: number): boolean => {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength > limit;
};
