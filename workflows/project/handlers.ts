/**
 * Signals and queries of a project. Every handler is synchronous: it writes memory, and the main loop does
 * the rest.
 */
import { defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import type { StopEnvironment, StopRef } from '../../src/plan/model/environments.ts';
import type { DeletedRef, ProjectMemory } from '../../src/plan/model/project-memory.ts';
import type { LockRelease, LockRequest } from '../../src/plan/model/locks.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { newestOf, pushedHeads, voidKey, waitingSince } from '../../src/plan/policy/memory.ts';
import {
  QUERIES,
  SIGNALS,
  type KeyLookup,
  type PipelineEnded,
  type ProjectStatus,
  type PushedHeads,
  type RerunRequest,
} from '../../src/plan/model/protocol.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import type { Intake } from './intake.ts';
import type { EnvironmentKeeper } from './environments.ts';
import type { LockKeeper } from './lock-keeper.ts';

export interface ProjectParts {
  project: string;
  memory: ProjectMemory;
  locks: LockKeeper;
  intake: Intake;
  environments: EnvironmentKeeper;
}

export function setProjectHandlers({ project, memory, locks, intake, environments }: ProjectParts): void {
  setHandler(defineSignal<[Trigger]>(SIGNALS.trigger), (trigger) => intake.enqueue(trigger));
  setHandler(defineSignal<[string]>(SIGNALS.voidKey), (key) => voidKey(memory, key));
  setHandler(defineSignal<[DeletedRef]>(SIGNALS.refDeleted), (ref) => intake.deleted(ref));
  setHandler(defineSignal<[RerunRequest]>(SIGNALS.rerun), (request) => intake.enqueueRerun(request));
  setHandler(defineSignal<[LockRequest]>(SIGNALS.lockRequest), (request) => locks.request(request));
  setHandler(defineSignal<[LockRelease]>(SIGNALS.lockRelease), (release) => {
    locks.release(release);
    environments.released(release);
  });
  setHandler(defineSignal<[StopEnvironment]>(SIGNALS.stopEnvironment), (stop) =>
    environments.stopProven(stop),
  );
  setHandler(defineSignal<[StopRef]>(SIGNALS.stopRef), (stop) => environments.stopRefProven(stop));
  setHandler(defineSignal<[PipelineEnded]>(SIGNALS.pipelineEnded), (ended) => {
    memory.running = memory.running.filter((run) => run.id !== ended.id || run.runId !== ended.runId);
    locks.ended(ended);
    environments.pipelineEnded(ended.id);
  });
  setHandler(defineQuery<ProjectStatus>(QUERIES.project), () => statusOf(project, memory));
  setHandler(defineQuery<KeyLookup, [string]>(QUERIES.lookup), (key) => lookup(memory, key));
  setHandler(defineQuery<PipelineId | null, [string]>(QUERIES.newest), (branch) => newestOf(memory, branch));
  setHandler(defineQuery<PushedHeads>(QUERIES.pushed), () => pushedHeads(memory));
  setHandler(defineQuery<number | null>(QUERIES.waitingSince), () => waitingSince(memory));
}

const statusOf = (project: string, memory: ProjectMemory): ProjectStatus => ({
  project,
  running: memory.running.map((run) => run.id),
  locks: memory.locks
    .filter((lock) => lock.holder || lock.waiting.length > 0)
    .map(({ resource, holder, waiting }) => ({
      resource,
      holder: holder && nameOf(holder),
      waiting: waiting.filter((request) => request.ready).map(nameOf),
    })),
  environments: memory.environments ?? [],
});
const nameOf = (request: LockRequest): string => `${request.pipeline} ${request.job}`;

function lookup(memory: ProjectMemory, key: string): KeyLookup {
  const known = memory.keys.find((entry) => entry.key === key);
  return known
    ? { pipeline: known.pipeline, state: known.state, message: known.message }
    : { state: 'unknown' };
}
