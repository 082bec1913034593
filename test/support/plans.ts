/** Short notations for a Plan and a Trigger in tests. */
import type { Plan, PlanJob } from '../../src/plan/model/plan.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';

/** The properties of a job that a test sets; the rest are GitLab's defaults. */
export type JobSketch = { key: string } & Partial<Omit<PlanJob, 'needs'>> & {
    needs?: (string | { job: string; optional?: boolean })[] | null;
  };
export const SPEC = `sha256:${'0'.repeat(64)}` as const;

/** Stages are in the order of the jobs unless given. */
export function planOf(
  sketches: readonly JobSketch[],
  more: { stages?: string[]; autoCancel?: Partial<Plan['autoCancel']> } = {},
): Plan {
  const stages = more.stages ?? [...new Set(sketches.map((job) => job.stage ?? 'test'))];
  return {
    version: 1,
    stages,
    jobs: sketches.map((sketch) => jobOf(sketch, stages)),
    autoCancel: { onNewCommit: 'conservative', onJobFailure: 'none', ...more.autoCancel },
  };
}

export function jobOf(sketch: JobSketch, stages: readonly string[] = ['test']): PlanJob {
  const { needs, ...given } = sketch;
  const stage = sketch.stage ?? 'test';
  return {
    group: sketch.key,
    stage,
    stageIndex: Math.max(0, stages.indexOf(stage)),
    kind: 'script',
    when: 'on_success',
    allowFailure: sketch.when === 'manual' && !sketch.gate,
    needs:
      needs?.map((need) => ({
        artifacts: true,
        optional: false,
        ...(typeof need === 'string' ? { job: need } : need),
      })) ?? null,
    artifactsFrom: [],
    imagesFrom: [],
    tags: [],
    queue: 'amd64',
    retry: { max: 0, when: [], exitCodes: [] },
    timeoutMs: 60_000,
    interruptible: false,
    rerunnable: false,
    spec: SPEC,
    ...given,
  };
}

export const triggerOf = (project: string, more: Partial<Trigger> = {}): Trigger => ({
  project,
  source: 'push',
  key: `push:main:${more.before ?? 'a'}:${more.sha ?? 'b'}`,
  deliveryId: 'delivery-1',
  ref: 'main',
  refKind: 'branch',
  sha: 'b'.repeat(40),
  before: 'a'.repeat(40),
  title: 'A change',
  actor: 'ann',
  fork: false,
  receivedAt: 0,
  ...more,
});

/** A push to main: each commit is one letter, repeated. */
export const push = (sha: string, before: string, deliveryId: string) => ({
  key: `push:main:${before}:${sha}`,
  sha: sha.repeat(40),
  before: before.repeat(40),
  deliveryId,
});
