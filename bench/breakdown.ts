/**
 * Where the time of jobs that run one after the other goes: the engine's own part, by the same calls without davit, and Temporal's,
 * by the times in the history of the pipeline.
 */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { Client, Connection } from '@temporalio/client';
import { pack } from 'tar-stream';
import { dockerEngine } from '../src/adapters/docker/index.ts';
import { readSettings } from '../src/config.ts';
import type { OwnDavit } from '../test/support/davit.ts';
import { spread, type Spread } from './stats.ts';

/** ms of each of `count` containers by the calls that a job makes: volume, create, upload, start, wait. */
export async function measureEngine(image: string, count: number): Promise<number[]> {
  const engine = await dockerEngine({ address: readSettings().dockerHost });
  const times: number[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const name = `davit-bench-${randomUUID()}`;
      const tar = pack();
      tar.entry({ name: 'davit/run', mode: 0o666 }, 'exit 0\n');
      tar.finalize();
      const from = performance.now();
      await engine.createVolume(name, {});
      await engine.createContainer({
        name,
        image,
        labels: {},
        command: ['sh', '/davit/run'],
        volumes: [{ volume: name, path: '/builds' }],
        logMaxBytes: 1_024 * 1_024,
      });
      await engine.upload(name, Readable.from(tar, { objectMode: false }));
      await engine.startContainer(name);
      await engine.waitContainer(name, AbortSignal.timeout(60_000));
      times.push(performance.now() - from);
      await engine.removeContainer(name);
      await engine.removeVolume(name);
    }
  } finally {
    await engine.close();
  }
  return times;
}

export interface Phases {
  /** From the request to the start of the pipeline's workflow, ms. */
  claimed: number;
  /** From there until it has its plan. */
  compiled: number;
  /** From the plan until a worker has the first job. */
  dispatched: number;
  /** Of each job: from the end of the job before it until a worker has it. */
  turns: Spread;
  /** Of each job: from when a worker has it until its result is recorded. */
  activities: Spread;
  /** From the result of the last job to the verdict at the client. */
  told: number;
}

interface Step {
  type: string;
  scheduled: number;
  started: number;
  ended: number;
}

/** The phases of a pipeline whose jobs ran one after the other; `request` and `verdict` in epoch ms. */
export async function phasesOf(
  davit: OwnDavit,
  id: string,
  { request, verdict }: { request: number; verdict: number },
): Promise<Phases> {
  const connection = await Connection.connect({ address: davit.run.temporal });
  try {
    const client = new Client({ connection, namespace: davit.run.namespace });
    const { events } = await client.workflow.getHandle(`pipeline/${id}`).fetchHistory();
    const began = msOf(events?.[0]?.eventTime);
    const steps = stepsOf(events ?? []);
    const compile = steps.find(({ type }) => type === 'compilePipeline');
    const jobs = steps.filter(({ type }) => type === 'runJob');
    const [first] = jobs;
    if (!compile || !first) throw new Error(`the history of ${id} has no plan or no job`);
    return {
      claimed: began - request,
      compiled: compile.ended - began,
      dispatched: first.started - compile.ended,
      turns: spread(jobs.slice(1).map(({ started }, index) => started - (jobs[index]?.ended ?? Number.NaN))),
      activities: spread(jobs.map(({ started, ended }) => ended - started)),
      told: verdict - Math.max(...jobs.map(({ ended }) => ended)),
    };
  } finally {
    await connection.close();
  }
}

type Events = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>;

function stepsOf(events: Events): Step[] {
  const steps = new Map<string, Step>();
  for (const event of events) {
    const at = msOf(event.eventTime);
    const { activityTaskScheduledEventAttributes: scheduled } = event;
    if (scheduled)
      steps.set(String(event.eventId), {
        type: scheduled.activityType?.name ?? '',
        scheduled: at,
        started: Number.NaN,
        ended: Number.NaN,
      });
    const started = steps.get(String(event.activityTaskStartedEventAttributes?.scheduledEventId));
    if (started) started.started = at;
    const ended = steps.get(String(event.activityTaskCompletedEventAttributes?.scheduledEventId));
    if (ended) ended.ended = at;
  }
  return [...steps.values()];
}

const msOf = (time: Events[number]['eventTime']): number =>
  Number(time?.seconds ?? Number.NaN) * 1_000 + (time?.nanos ?? 0) / 1e6;
