import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildGraph, jobsAfter } from '../../../../src/plan/policy/graph.ts';
import type { Outcome } from '../../../../src/plan/model/outcome.ts';
import { nextSteps, waitsFor, skipReasonOf } from '../../../../src/plan/policy/schedule.ts';
import { isSettled, tally, tokenOf, type JobView } from '../../../../src/plan/policy/status.ts';
import { planOf, type JobSketch } from '../../../support/plans.ts';

const created = (count: number): JobView[] => Array.from({ length: count }, () => ({ phase: 'created' }));
const ended = (outcome: Outcome): JobView => ({ phase: 'ended', outcome });

/** Plans of up to 12 jobs in up to 4 stages; needs point backwards, so there is no cycle. */
const plans = fc
  .array(
    fc.record({
      stage: fc.nat(3),
      when: fc.constantFrom('on_success', 'on_failure', 'always', 'manual', 'delayed'),
      allowFailure: fc.boolean(),
      gate: fc.boolean(),
      needs: fc.option(fc.array(fc.nat(11), { maxLength: 3 }), { freq: 2 }),
      requires: fc.array(fc.nat(11), { maxLength: 1 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((drawn) => {
    const sorted = [...drawn].sort((a, b) => a.stage - b.stage);
    const earlier = (at: number, list: readonly number[]): string[] => [
      ...new Set(list.filter((other) => other < at).map((other) => `j${other}`)),
    ];
    return planOf(
      sorted.map(
        (one, at): JobSketch => ({
          key: `j${at}`,
          stage: `s${one.stage}`,
          when: one.when,
          allowFailure: one.allowFailure,
          needs: one.needs && earlier(at, one.needs),
          gate: one.gate ? { approvers: [], expiresInMs: 1, requires: earlier(at, one.requires) } : undefined,
        }),
      ),
      { stages: ['s0', 's1', 's2', 's3'] },
    );
  });

/** Runs a plan with random outcomes until nothing changes; people start the jobs that `plays` selects. */
function simulate(
  plan: ReturnType<typeof planOf>,
  draw: { outcomes: readonly Outcome[]; plays: readonly boolean[] },
): { views: JobView[]; starts: { at: number; before: JobView[] }[] } {
  const graph = buildGraph(plan);
  const views = created(plan.jobs.length);
  const starts: { at: number; before: JobView[] }[] = [];
  for (let round = 0; round < 100; round += 1) {
    for (const step of nextSteps(graph, views)) {
      if (step.to === 'skip') views[step.index] = ended('skipped');
      else if (step.to === 'manual') views[step.index] = { phase: 'manual' };
      else {
        starts.push({ at: step.index, before: views.map((view) => ({ ...view })) });
        views[step.index] = { phase: step.to === 'gate' ? 'gate' : 'running' };
      }
    }
    expect(nextSteps(graph, views)).toEqual([]);
    const open = views.findIndex((view) => view.phase === 'running' || view.phase === 'gate');
    const played = views.findIndex(
      (view, at) => view.phase === 'manual' && (draw.plays[at] || plan.jobs[at]?.allowFailure !== true),
    );
    if (open >= 0) views[open] = ended(draw.outcomes[open] ?? 'succeeded');
    else if (played >= 0) views[played] = { phase: 'running' };
    else break;
  }
  return { views, starts };
}
const draws = fc.record({
  outcomes: fc.array(fc.constantFrom<Outcome>('succeeded', 'failed', 'errored', 'cancelled', 'expired'), {
    minLength: 12,
    maxLength: 12,
  }),
  plays: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
});

describe('any plan, whatever its jobs do', () => {
  test('ends: nothing is open but optional manual jobs', () => {
    fc.assert(
      fc.property(plans, draws, (plan, draw) => {
        const { views } = simulate(plan, draw);
        const tokens = plan.jobs.map((job, at) => tokenOf(job, views[at] ?? { phase: 'created' }));
        expect(isSettled(tally(tokens))).toBe(true);
      }),
    );
  });

  test('starts no job before all it waits for has ended, or is optional', () => {
    fc.assert(
      fc.property(plans, draws, (plan, draw) => {
        const graph = buildGraph(plan);
        for (const { at, before } of simulate(plan, draw).starts) {
          const job = plan.jobs[at];
          const own = job?.stageIndex ?? 0;
          const waited =
            graph.needs[at] ?? plan.jobs.flatMap((other, i) => (other.stageIndex < own ? [i] : []));
          for (const other of waited) {
            const view = before[other];
            const free = view?.phase === 'manual' && plan.jobs[other]?.allowFailure === true;
            expect(view?.phase === 'ended' || free).toBe(true);
          }
          for (const other of graph.requires[at] ?? []) expect(before[other]?.outcome).toBe('succeeded');
        }
      }),
    );
  });

  test('skips on_success, manual and delayed jobs behind a need that was skipped or has failed', () => {
    fc.assert(
      fc.property(plans, draws, (plan, draw) => {
        const graph = buildGraph(plan);
        const { views } = simulate(plan, draw);
        plan.jobs.forEach((job, at) => {
          if (job.when === 'always' || job.when === 'on_failure') return;
          const bad = (graph.needs[at] ?? []).some((need) => {
            const token = tokenOf(plan.jobs[need] ?? job, views[need] ?? { phase: 'created' });
            return token === 'skipped' || token === 'failed' || token === 'canceled';
          });
          if (bad) expect(views[at]?.outcome).toBe('skipped');
        });
      }),
    );
  });
});

describe('the graph', () => {
  test('orders each job after those that it waits for', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const graph = buildGraph(plan);
        const place = new Map(graph.order.map((at, index) => [at, index]));
        expect([...graph.order].sort((a, b) => a - b)).toEqual(plan.jobs.map((_, at) => at));
        plan.jobs.forEach((_, at) => {
          for (const need of graph.needs[at] ?? [])
            expect(place.get(need) ?? 99).toBeLessThan(place.get(at) ?? -1);
        });
      }),
    );
  });

  test('is not blocked by a cycle: its jobs come last and never start', () => {
    const plan = planOf([
      { key: 'a', needs: ['b'] },
      { key: 'b', needs: ['a'] },
      { key: 'c', needs: [] },
    ]);
    const graph = buildGraph(plan);
    expect(graph.order).toEqual([2, 0, 1]);
    expect(nextSteps(graph, created(3)).map((step) => step.job)).toEqual(['c']);
    expect(jobsAfter(graph, 0)).toEqual([1]);
  });

  test('reads each of a thousand jobs a few times only', () => {
    const plan = planOf(
      Array.from({ length: 1_000 }, (_, at) => ({ key: `j${at}`, stage: `s${at % 10}` })),
      { stages: Array.from({ length: 10 }, (_, at) => `s${at}`) },
    );
    let reads = 0;
    const counted = <T extends object>(value: T): T =>
      new Proxy(value, {
        get(target, key, receiver): unknown {
          reads += 1;
          return Reflect.get(target, key, receiver);
        },
      });
    const graph = buildGraph(plan);
    const jobs = graph.jobs.map(counted);
    const steps = nextSteps({ ...graph, jobs }, created(1_000).map(counted));
    expect(steps).toHaveLength(100);
    expect(reads).toBeLessThan(20 * 1_000);
  });

  test('finds all that comes after a job, by needs, gates and stages', () => {
    const plan = planOf([
      { key: 'a', stage: 'build' },
      { key: 'b', stage: 'test', needs: ['a'] },
      { key: 'c', stage: 'test', needs: [] },
      { key: 'd', stage: 'ship' },
      { key: 'e', stage: 'test', needs: [], gate: { approvers: [], expiresInMs: 1, requires: ['b'] } },
    ]);
    const graph = buildGraph(plan);
    expect(jobsAfter(graph, 0)).toEqual([1, 3, 4]);
    expect(jobsAfter(graph, 2)).toEqual([3]);
  });
});

describe('what a job waits for', () => {
  const plan = planOf([
    { key: 'a', stage: 'build' },
    { key: 'b', stage: 'test' },
    { key: 'c', stage: 'ship', needs: ['b'] },
  ]);
  test('is its first open need, or the first open stage', () => {
    const graph = buildGraph(plan);
    expect(waitsFor(graph, 1, created(3))).toBe('stage:build');
    expect(waitsFor(graph, 2, created(3))).toBe('needs:b');
    expect(waitsFor(graph, 1, [ended('succeeded'), ...created(2)])).toBeUndefined();
  });
});

describe('why a job is skipped', () => {
  const plan = planOf(
    [
      { key: 'unit', stage: 's0' },
      { key: 'hand', stage: 's0', when: 'manual', allowFailure: true },
      { key: 'later', stage: 's1' },
      { key: 'named', stage: 's1', needs: ['hand'] },
      { key: 'rescue', stage: 's1', when: 'on_failure' },
      { key: 'last', stage: 's2', needs: ['later'] },
    ],
    { stages: ['s0', 's1', 's2'] },
  );
  const graph = buildGraph(plan);
  const why = (key: string, views: Record<string, JobView>): string | undefined =>
    skipReasonOf(
      graph,
      graph.index.get(key) ?? -1,
      plan.jobs.map((job) => views[job.key] ?? { phase: 'created' }),
    );
  test.each([
    ['later', { unit: ended('failed'), hand: { phase: 'manual' } }, 'unit failed.'],
    ['later', { unit: ended('cancelled') }, 'unit was cancelled.'],
    ['named', { unit: ended('succeeded'), hand: { phase: 'manual' } }, 'hand was not played.'],
    ['last', { unit: ended('failed'), later: ended('skipped') }, 'later was skipped.'],
    ['rescue', { unit: ended('succeeded'), hand: { phase: 'manual' } }, 'No job before it failed.'],
  ] as const)('%s', (key, views, text) => expect(why(key, views)).toBe(text));
});
