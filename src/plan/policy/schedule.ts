/**
 * Which jobs' turn has come. Pure: given the graph and what each job is now, it answers the steps to take, in an order in
 * which they may be taken. It starts nothing and knows no clock.
 *
 * S1 A job starts only when all it waits for has ended, or is a manual job that nobody need play.
 * S2 A job without needs looks at all stages before its own, a job with needs at these alone, whatever their stage.
 * S3 A job whose need was skipped, or is an optional manual job nobody has played, is skipped (`always` is not).
 * S4 Manual, gated and delayed jobs wait for their turn as on_success does; after a failure they are skipped.
 * S5 An answer is complete: applying its steps and asking again gives no further step.
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
  const tokens: Token[] = graph.jobs.map((job, at) => tokenOf(job, views[at] ?? { phase: 'created' }));
  const stages = new StageTallies(graph, tokens);
  const steps: Step[] = [];
  for (const at of graph.order) {
    const job = graph.jobs[at];
    const view = views[at];
    if (!job || !view || view.phase !== 'created') continue;
    const turn = both(turnOf(graph, at, { tokens, stages }), gateTurn(graph, at, tokens));
    if (turn === 'wait') continue;
    const to = turn === 'skip' ? 'skip' : stepOf(job, view);
    steps.push({ job: job.key, index: at, to });
    const token = TOKEN_AFTER[to](job);
    stages.move(job.stageIndex, tokens[at] ?? 'created', token);
    tokens[at] = token;
  }
  return steps;
}

/** The first thing a job that is only created waits for: `needs:JOB` or `stage:NAME`. */
export function waitsFor(graph: Graph, at: number, views: readonly JobView[]): string | undefined {
  const open = (other: number): boolean => views[other]?.phase !== 'ended';
  const named = [...(graph.needs[at] ?? []), ...(graph.requires[at] ?? [])].find(open);
  if (named !== undefined) return `needs:${graph.jobs[named]?.key ?? ''}`;
  if (graph.needs[at]) return undefined;
  const own = graph.jobs[at]?.stageIndex ?? 0;
  const stage = graph.jobs.find((job, other) => job.stageIndex < own && open(other))?.stage;
  return stage === undefined ? undefined : `stage:${stage}`;
}

/** Why a job is skipped, for a person: the first of what it looks at that stands in its way. */
export function whySkipped(graph: Graph, at: number, views: readonly JobView[]): string | undefined {
  const job = graph.jobs[at];
  if (!job) return undefined;
  const needs = graph.needs[at];
  const looksAt =
    needs ?? graph.jobs.flatMap((other, index) => (other.stageIndex < job.stageIndex ? [index] : []));
  const inTheWay = [...(graph.requires[at] ?? []), ...looksAt].find((index) => {
    const other = graph.jobs[index];
    const view = views[index];
    const token = other && view ? tokenOf(other, view) : 'success';
    return token !== 'success' && (token === 'failed' || token === 'canceled' || needs !== null);
  });
  if (inTheWay === undefined) return job.when === 'on_failure' ? 'Nothing before it failed.' : undefined;
  const { phase, outcome } = views[inTheWay] ?? {};
  const how =
    outcome === undefined ? (phase === 'manual' ? 'was not played' : 'has not ended') : WORDS[outcome];
  return `${graph.jobs[inTheWay]?.key ?? ''} ${how}.`;
}
const WORDS: Record<Outcome, string> = {
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

function turnOf(graph: Graph, at: number, now: { tokens: Token[]; stages: StageTallies }): Turn {
  const job = graph.jobs[at];
  const needs = graph.needs[at];
  if (!job) return 'wait';
  if (!needs) return fromStages(job.when, now.stages.before(job.stageIndex));
  const counts = emptyTally();
  for (const need of needs) counts[now.tokens[need] ?? 'created'] += 1;
  return fromNeeds(job.when, counts);
}

/** Tokens of jobs that will go on without anybody asking for more than a gate or a blocking job asks. */
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

/** A gate opens only behind the success, plain success, of every job it requires. */
function gateTurn(graph: Graph, at: number, tokens: readonly Token[]): Turn {
  let turn: Turn = 'go';
  for (const other of graph.requires[at] ?? []) {
    const token = tokens[other] ?? 'created';
    if (token === 'success') continue;
    if (!OPEN.includes(token)) return 'skip';
    turn = 'wait';
  }
  return turn;
}

const both = (a: Turn, b: Turn): Turn =>
  a === 'skip' || b === 'skip' ? 'skip' : a === 'wait' || b === 'wait' ? 'wait' : 'go';

/** Counts of all stages before one, kept between jobs so that a pass over n jobs costs n. */
class StageTallies {
  readonly #own: Tally[];
  #sums: Tally[] = [];

  constructor(graph: Graph, tokens: readonly Token[]) {
    this.#own = Array.from({ length: graph.stages }, emptyTally);
    graph.jobs.forEach((job, at) => {
      const counts = this.#own[job.stageIndex];
      if (counts) counts[tokens[at] ?? 'created'] += 1;
    });
  }

  before(stage: number): Tally {
    const first = this.#sums[0] ?? emptyTally();
    this.#sums[0] = first;
    for (let at = this.#sums.length; at <= stage; at += 1) {
      const sum = { ...(this.#sums[at - 1] ?? first) };
      const own = this.#own[at - 1] ?? emptyTally();
      for (const token of Object.keys(own) as Token[]) sum[token] += own[token];
      this.#sums[at] = sum;
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
