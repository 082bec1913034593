/**
 * Which jobs' turn has come. Pure: from the graph and the state of each job it returns the steps to take, in
 * a valid order. It starts nothing and has no clock.
 *
 * SCHEDULE-1 A job starts only when everything that it waits for has ended, or is an optional manual job.
 * SCHEDULE-2 A job without needs waits for all stages before its own; a job with needs only for these, in any
 *            stage.
 * SCHEDULE-3 A job is skipped if a need was skipped, or is an optional manual job that was not played
 *            (`always` is not).
 * SCHEDULE-4 Manual, gated and delayed jobs wait for their turn as on_success does; after a failure they are
 *            skipped.
 * SCHEDULE-5 The result is complete: after its steps are applied, there is no further step.
 */
import type { Graph } from './graph.ts';
import type { JobKey } from '../model/ids.ts';
import type { Outcome } from '../model/outcome.ts';
import type { PlanJob, When } from '../model/plan.ts';
import { composite, emptyTally, tokenOf, type JobView, type Tally, type Token } from './status.ts';

export type StepKind = 'start' | 'skip' | 'manual' | 'gate' | 'delay';
export interface Step {
  job: JobKey;
  index: number;
  to: StepKind;
}
type Turn = 'go' | 'skip' | 'wait';

/** `views` by the graph's index. */
export function nextSteps(graph: Graph, views: readonly JobView[]): Step[] {
  const tokens: Token[] = graph.jobs.map((job, index) => tokenOf(job, views[index] ?? { phase: 'created' }));
  const stages = new StageTallies(graph, tokens);
  const steps: Step[] = [];
  for (const index of graph.order) {
    const job = graph.jobs[index];
    const view = views[index];
    if (!job || !view || view.phase !== 'created') continue;
    const turn = both(turnOf(graph, index, tokens, stages), gateTurn(graph, index, tokens));
    if (turn === 'wait') continue;
    const to = turn === 'skip' ? 'skip' : stepOf(job, view);
    steps.push({ job: job.key, index, to });
    const token = TOKEN_AFTER[to](job);
    stages.move(job.stageIndex, tokens[index] ?? 'created', token);
    tokens[index] = token;
  }
  return steps;
}

/** The first thing that a created job waits for: `needs:JOB` or `stage:NAME`. */
export function waitsFor(graph: Graph, index: number, views: readonly JobView[]): string | undefined {
  const open = (other: number): boolean => views[other]?.phase !== 'ended';
  const named = [...(graph.needs[index] ?? []), ...(graph.requires[index] ?? [])].find(open);
  if (named !== undefined) return `needs:${graph.jobs[named]?.key ?? ''}`;
  if (graph.needs[index]) return undefined;
  const own = graph.jobs[index]?.stageIndex ?? 0;
  const stage = graph.jobs.find((job, other) => job.stageIndex < own && open(other))?.stage;
  return stage === undefined ? undefined : `stage:${stage}`;
}

/** Why a job is skipped, for people: the first job that prevents it. */
export function skipReasonOf(graph: Graph, index: number, views: readonly JobView[]): string | undefined {
  const job = graph.jobs[index];
  if (!job) return undefined;
  const needs = graph.needs[index];
  const before =
    needs ?? graph.jobs.flatMap((other, place) => (other.stageIndex < job.stageIndex ? [place] : []));
  const cause = [...(graph.requires[index] ?? []), ...before].find((place) => {
    const other = graph.jobs[place];
    const view = views[place];
    const token = other && view ? tokenOf(other, view) : 'success';
    return token !== 'success' && (token === 'failed' || token === 'canceled' || needs !== null);
  });
  if (cause === undefined) return job.when === 'on_failure' ? 'No job before it failed.' : undefined;
  const { phase, outcome } = views[cause] ?? {};
  const how =
    outcome === undefined ? (phase === 'manual' ? 'was not played' : 'has not ended') : ENDS[outcome];
  return `${graph.jobs[cause]?.key ?? ''} ${how}.`;
}
const ENDS: Record<Outcome, string> = {
  succeeded: 'succeeded',
  failed: 'failed',
  errored: 'failed',
  cancelled: 'was cancelled',
  skipped: 'was skipped',
  expired: 'expired',
};

const TOKEN_AFTER: Record<StepKind, (job: PlanJob) => Token> = {
  start: () => 'running',
  skip: () => 'skipped',
  manual: (job) => tokenOf(job, { phase: 'manual' }),
  gate: () => 'manual',
  delay: () => 'scheduled',
};

function stepOf(job: PlanJob, view: JobView): StepKind {
  if (job.gate) return 'gate';
  if (view.retryRequested) return 'start';
  if (job.when === 'manual') return 'manual';
  return job.when === 'delayed' ? 'delay' : 'start';
}

function turnOf(graph: Graph, index: number, tokens: readonly Token[], stages: StageTallies): Turn {
  const job = graph.jobs[index];
  const needs = graph.needs[index];
  if (!job) return 'wait';
  if (!needs) return fromStages(job.when, stages.before(job.stageIndex));
  const counts = emptyTally();
  for (const need of needs) counts[tokens[need] ?? 'created'] += 1;
  return fromNeeds(job.when, counts);
}

/**
 * Tokens of jobs that can still end, by themselves or after the decision that a gate or blocking job waits
 * for.
 */
const OPEN: readonly Token[] = ['created', 'running', 'waiting_for_resource', 'scheduled', 'manual'];
const isOpen = (counts: Tally): boolean => OPEN.some((token) => counts[token] > 0);

/** GitLab: on_success takes success and skipped, on_failure takes failed, always takes every end. */
function fromStages(when: When, counts: Tally): Turn {
  if (isOpen(counts)) return 'wait';
  const state = composite(counts);
  if (when === 'always') return 'go';
  if (when === 'on_failure') return state === 'failed' ? 'go' : 'skip';
  return state === 'success' || state === 'skipped' ? 'go' : 'skip';
}

function fromNeeds(when: When, counts: Tally): Turn {
  if (when !== 'always' && counts.skipped + counts.ignored > 0) return 'skip';
  if (isOpen(counts)) return 'wait';
  if (when === 'always') return 'go';
  const state = composite(counts);
  if (when === 'on_failure') return state === 'failed' ? 'go' : 'skip';
  return state === 'success' ? 'go' : 'skip';
}

/** A gate opens only after the success of every job that it requires; a warning does not count. */
function gateTurn(graph: Graph, index: number, tokens: readonly Token[]): Turn {
  let turn: Turn = 'go';
  for (const other of graph.requires[index] ?? []) {
    const token = tokens[other] ?? 'created';
    if (token === 'success') continue;
    if (!OPEN.includes(token)) return 'skip';
    turn = 'wait';
  }
  return turn;
}

const both = (a: Turn, b: Turn): Turn =>
  a === 'skip' || b === 'skip' ? 'skip' : a === 'wait' || b === 'wait' ? 'wait' : 'go';

/** Counts of all stages before a stage, kept between jobs so that a pass over n jobs costs n. */
class StageTallies {
  readonly #own: Tally[];
  #sums: Tally[] = [];

  constructor(graph: Graph, tokens: readonly Token[]) {
    this.#own = Array.from({ length: graph.stages }, emptyTally);
    graph.jobs.forEach((job, index) => {
      const counts = this.#own[job.stageIndex];
      if (counts) counts[tokens[index] ?? 'created'] += 1;
    });
  }

  before(stage: number): Tally {
    const first = this.#sums[0] ?? emptyTally();
    this.#sums[0] = first;
    for (let next = this.#sums.length; next <= stage; next += 1) {
      const sum = { ...(this.#sums[next - 1] ?? first) };
      const own = this.#own[next - 1] ?? emptyTally();
      for (const token of Object.keys(own) as Token[]) sum[token] += own[token];
      this.#sums[next] = sum;
    }
    return this.#sums[stage] ?? first;
  }

  move(stage: number, from: Token, to: Token): void {
    const counts = this.#own[stage];
    if (!counts) return;
    counts[from] -= 1;
    counts[to] += 1;
    this.#sums.length = Math.min(this.#sums.length, stage + 1);
  }
}
