/**
 * Scenarios as data: a plan in short form, the behaviour of its fake jobs, the actions of people and their
 * times, and the expected result. `test/scenarios/*.yaml`; each document is one scenario.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { Behaviour } from './fakes.ts';
import { planOf, type JobSketch } from './plans.ts';
import { until, type World } from './world.ts';
import { decide, signalRerun } from '../../src/temporal/calls.ts';
import type { Limits } from '../../activities/contract.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { SIGNALS, type Decision, type PipelineStatus } from '../../src/plan/model/protocol.ts';

const step = z.strictObject({
  /** Waits until this holds. Values: `JOB: phase or outcome`, and `state`. */
  when: z.record(z.string(), z.string()).optional(),
  /** Waits until an activity was called: `runJob a`. */
  called: z.string().optional(),
  do: z.enum(['play', 'reject', 'retry', 'cancelJob', 'cancel', 'approve', 'open', 'started']).optional(),
  job: z.string().optional(),
  by: z.string().default('olga'),
  role: z.enum(['reader', 'developer', 'operator', 'temporal']).default('operator'),
  comment: z.string().optional(),
  /** `accepted`, or the error code. */
  answer: z.string().optional(),
  /** Must hold now, without waiting. */
  now: z.record(z.string(), z.string()).optional(),
  /** The pipeline has closed; the decision goes to the project. */
  closed: z.boolean().default(false),
});
const scenario = z.strictObject({
  name: z.string(),
  stages: z.array(z.string()).optional(),
  autoCancel: z.record(z.string(), z.string()).optional(),
  limits: z.record(z.string(), z.number()).default({}),
  jobs: z.array(z.looseObject({ key: z.string() })),
  fakes: z.record(z.string(), z.array(z.looseObject({}))).default({}),
  steps: z.array(step).default([]),
  end: z.strictObject({
    state: z.string(),
    /** `JOB: outcome`, or its phase; with `kind`, `outcome kind`; with attempt and epoch, `outcome 2/1`. */
    jobs: z.record(z.string(), z.string()).default({}),
    /** Calls of activities that jobs caused, in order: `runJob a 1/1`. */
    calls: z.array(z.string()).optional(),
    warnings: z.number().optional(),
    reason: z.string().optional(),
  }),
});
export type Scenario = z.output<typeof scenario>;
type Step = Scenario['steps'][number];

const JOB_CALLS =
  /^(runJob|resumeJob|buildImage|apitest|pushImage|applyDeploy|watchDeploy|rollbackDeploy|stopJob)$/;

export function loadScenarios(folder: string): Scenario[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .flatMap((name) =>
      parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => {
        const parsed = scenario.safeParse(document.toJS());
        if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
        return parsed.data;
      }),
    );
}

export async function play(world: World, one: Scenario, slug: string): Promise<PipelineId> {
  const fakes = Object.entries(one.fakes).map(([job, list]) => [job, list as Behaviour[]] as const);
  world.project(slug, {
    plan: planOf(one.jobs as unknown as JobSketch[], {
      stages: one.stages,
      autoCancel: one.autoCancel as never,
    }),
    limits: one.limits as Partial<Limits>,
    behaviours: Object.fromEntries(fakes),
  });
  const id = await world.push(slug);
  for (const [at, each] of one.steps.entries()) await act(world, id, { each, slug, at });
  const status = await world.end(id);
  const journal = world.fakes.journal(slug);
  if (one.end.calls)
    expect(
      journal
        .filter((entry) => JOB_CALLS.test(entry.activity))
        .map((entry) => `${entry.activity} ${entry.job} ${entry.attempt}/${entry.epoch}`),
    ).toEqual(one.end.calls);
  expect(status.state).toBe(one.end.state);
  for (const [job, text] of Object.entries(one.end.jobs))
    expect(`${job}: ${said(status, job, text)}`).toBe(`${job}: ${text}`);
  if (one.end.warnings !== undefined) expect(status.warnings).toHaveLength(one.end.warnings);
  if (one.end.reason !== undefined) expect(status.reason).toContain(one.end.reason);
  const record = world.fakes.records.get(id);
  expect(record?.status.state).toBe(one.end.state);
  return id;
}

async function act(
  world: World,
  id: PipelineId,
  of: { each: Step; slug: string; at: number },
): Promise<void> {
  const { each, slug } = of;
  const { when, now } = each;
  if (each.closed) await world.closed(id);
  if (when) await world.when(id, `step ${of.at} ${JSON.stringify(when)}`, (status) => holds(status, when));
  if (each.called)
    await until(`${slug}: ${each.called}`, async () =>
      world.fakes.journal(slug).find((entry) => `${entry.activity} ${entry.job}` === each.called),
    );
  if (now) {
    const status = await world.status(id);
    for (const [key, text] of Object.entries(now))
      expect(`step ${of.at}: ${key}: ${key === 'state' ? status.state : said(status, key, text)}`).toBe(
        `step ${of.at}: ${key}: ${text}`,
      );
  }
  if (each.do) await perform(world, id, { each, slug });
}

async function perform(world: World, id: PipelineId, of: { each: Step; slug: string }): Promise<void> {
  const { each, slug } = of;
  const job = each.job ?? '';
  switch (each.do) {
    case 'open':
      return world.fakes.open(slug, job);
    case 'cancel':
      await world.handle(id).cancel();
      return;
    case 'approve':
      return world.handle(id).signal(SIGNALS.approve, { job, comment: each.comment });
    case 'started': {
      const status = (await world.status(id)).jobs.find((other) => other.key === job);
      const ref = { pipeline: id, job, jobId: 0, attempt: status?.attempt ?? 1, epoch: status?.epoch ?? 1 };
      return world.handle(id).signal(SIGNALS.jobStarted, { ref, host: 'h1', at: Date.now() });
    }
    case undefined:
      return;
    default: {
      const decision: Decision = {
        action: each.do,
        job,
        actor: each.by,
        role: each.role,
        comment: each.comment,
      };
      if (each.closed) return rerun(world, id, { slug, decision });
      const answer = await decide(world.client, id, decision);
      if (each.answer) expect(answer.accepted ? 'accepted' : answer.code).toBe(each.answer);
    }
  }
}

/** Sends the request to the project, and waits until the new run of the pipeline responds. */
async function rerun(world: World, id: PipelineId, of: { slug: string; decision: Decision }): Promise<void> {
  const before = (await world.handle(id).describe()).runId;
  await signalRerun(world.client, of.slug, { pipeline: id, decision: of.decision });
  await until(`${id} runs again`, async () =>
    (await world.handle(id).describe()).runId === before ? undefined : true,
  );
}

const holds = (status: PipelineStatus, when: Record<string, string>): boolean =>
  Object.entries(when).every(
    ([key, text]) => (key === 'state' ? status.state : said(status, key, text)) === text,
  );

/** The state of a job, in the same detail as the expectation. */
function said(status: PipelineStatus, key: string, like: string): string {
  const job = status.jobs.find((other) => other.key === key);
  if (!job) return 'no such job';
  const words = [
    job.outcome ?? job.phase,
    ...(like.includes('(') ? [`(${job.result?.kind ?? job.waitingFor ?? ''})`] : []),
    ...(like.includes('/') ? [`${job.attempt}/${job.epoch}`] : []),
  ];
  return words.join(' ');
}
