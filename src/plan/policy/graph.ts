import type { JobKey } from '../model/ids.ts';
import type { Plan, PlanJob } from '../model/plan.ts';

/**
 * The plan as a graph over job indexes, built once per pipeline. `needs` names a job or a group (all jobs of
 * that name); an optional need that is not in the plan is dropped. Every walk has a visited set: a cycle,
 * which the compiler refuses, leaves its jobs at the end of `order` and blocks nothing.
 */
export interface Graph {
  jobs: readonly PlanJob[];
  index: ReadonlyMap<JobKey, number>;
  /** null: the job waits for the stages before it. */
  needs: readonly (readonly number[] | null)[];
  /** Jobs that must have succeeded before a gate opens. */
  requires: readonly (readonly number[])[];
  /** Jobs that wait for this one by name: needs and requires. */
  dependants: readonly (readonly number[])[];
  /** Each job after those that it waits for. */
  order: readonly number[];
  stages: number;
}

export function buildGraph(plan: Pick<Plan, 'jobs' | 'stages'>): Graph {
  const { jobs } = plan;
  const index = new Map(jobs.map((job, position) => [job.key, position]));
  const resolve = resolver(plan);
  const needs = jobs.map((job) => job.needs && unique(job.needs.flatMap((need) => resolve(need.job))));
  const requires = jobs.map((job) => unique((job.gate?.requires ?? []).flatMap(resolve)));
  const dependants: number[][] = jobs.map(() => []);
  jobs.forEach((_, job) => {
    for (const from of new Set([...(needs[job] ?? []), ...(requires[job] ?? [])]))
      dependants[from]?.push(job);
  });
  const stages = jobs.reduce((most, job) => Math.max(most, job.stageIndex + 1), plan.stages.length);
  return {
    jobs,
    index,
    needs,
    requires,
    dependants,
    stages,
    order: sorted({ jobs, needs, requires, dependants, stages }),
  };
}

/**
 * Indexes of the jobs that a name means: the job of that key, else all jobs of that group; none if it is
 * unknown.
 */
export function resolver(plan: Pick<Plan, 'jobs'>): (name: string) => number[] {
  const groups = new Map<string, number[]>();
  const keys = new Map<string, number>();
  plan.jobs.forEach((job, index) => {
    keys.set(job.key, index);
    groups.set(job.group, [...(groups.get(job.group) ?? []), index]);
  });
  return (name) => {
    const index = keys.get(name);
    return index === undefined ? (groups.get(name) ?? []) : [index];
  };
}

/** All jobs after a job, by needs and requires, and by stages for jobs without needs. */
export function jobsAfter(graph: Graph, from: number): number[] {
  const seen = new Set<number>([from]);
  const queue = [from];
  let stage = Number.POSITIVE_INFINITY;
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    for (const next of graph.dependants[job] ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push(next);
    }
    const own = graph.jobs[job]?.stageIndex ?? 0;
    if (own >= stage) continue;
    stage = own;
    graph.jobs.forEach((other, next) => {
      if (graph.needs[next] || other.stageIndex <= own || seen.has(next)) return;
      seen.add(next);
      queue.push(next);
    });
  }
  seen.delete(from);
  return [...seen].sort((a, b) => a - b);
}

/** Kahn's algorithm. Each stage is one node, so that 1,000 jobs in 2 stages do not make 250,000 edges. */
function sorted(graph: Pick<Graph, 'jobs' | 'needs' | 'requires' | 'dependants' | 'stages'>): number[] {
  const { jobs, needs, requires, dependants, stages } = graph;
  const open = jobs.map((_, at) => new Set([...(needs[at] ?? []), ...(requires[at] ?? [])]).size);
  const left = Array.from({ length: stages }, () => 0);
  for (const job of jobs) left[job.stageIndex] = (left[job.stageIndex] ?? 0) + 1;
  const order: number[] = [];
  const done = new Set<number>();
  let reached = 0;
  const ready = (at: number): boolean =>
    !done.has(at) && open[at] === 0 && (needs[at] !== null || (jobs[at]?.stageIndex ?? 0) <= reached);
  const queue = jobs.map((_, at) => at).filter(ready);
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (done.has(at)) continue;
    done.add(at);
    order.push(at);
    const stage = jobs[at]?.stageIndex ?? 0;
    left[stage] = (left[stage] ?? 1) - 1;
    for (const next of dependants[at] ?? []) {
      open[next] = (open[next] ?? 1) - 1;
      if (ready(next)) queue.push(next);
    }
    const before = reached;
    while (reached < stages && left[reached] === 0) reached += 1;
    if (reached > before) jobs.forEach((_, next) => ready(next) && queue.push(next));
  }
  jobs.forEach((_, at) => done.has(at) || order.push(at));
  return order;
}

const unique = (list: number[]): number[] => [...new Set(list)];
