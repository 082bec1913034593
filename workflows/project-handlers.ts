/** What a project listens to. Every handler is synchronous: it writes memory, and the main loop does the rest. */
import { defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import type { ProjectMemory } from '../src/plan/memory.ts';
import {
  QUERIES,
  SIGNALS,
  type KeyLookup,
  type LockRelease,
  type LockRequest,
  type PipelineEnded,
  type ProjectStatus,
  type RerunRequest,
} from '../src/plan/protocol.ts';
import type { Trigger } from '../src/plan/trigger.ts';
import type { Intake } from './project-intake.ts';
import type { LockKeeper } from './project-locks.ts';

export interface ProjectParts {
  project: string;
  memory: ProjectMemory;
  locks: LockKeeper;
  intake: Intake;
}

export function listenProject({ project, memory, locks, intake }: ProjectParts): void {
  setHandler(defineSignal<[Trigger]>(SIGNALS.trigger), (trigger) => intake.arrives(trigger));
  setHandler(defineSignal<[RerunRequest]>(SIGNALS.rerun), (request) => intake.asked(request));
  setHandler(defineSignal<[LockRequest]>(SIGNALS.lockRequest), (request) => locks.request(request));
  setHandler(defineSignal<[LockRelease]>(SIGNALS.lockRelease), (release) => locks.release(release));
  setHandler(defineSignal<[PipelineEnded]>(SIGNALS.pipelineEnded), (ended) => {
    memory.running = memory.running.filter((run) => run.id !== ended.id || run.runId !== ended.runId);
    locks.ended(ended);
  });
  setHandler(defineQuery<ProjectStatus>(QUERIES.project), () => statusOf(project, memory));
  setHandler(defineQuery<KeyLookup, [string]>(QUERIES.lookup), (key) => lookup(memory, key));
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
});
const nameOf = (request: LockRequest): string => `${request.pipeline} ${request.job}`;

function lookup(memory: ProjectMemory, key: string): KeyLookup {
  const known = memory.keys.find((entry) => entry.key === key);
  return known
    ? { pipeline: known.pipeline, state: known.state, message: known.message }
    : { state: 'unknown' };
}
