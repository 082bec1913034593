/** Temporal, workers for every queue that a test names, and fake activities, for workflow tests. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import {
  pipelineId,
  pipelineWorkflowId,
  projectWorkflowId,
  type PipelineId,
} from '../../src/plan/model/ids.ts';
import {
  QUERIES,
  type KeyLookup,
  type PipelineStatus,
  type ProjectStatus,
} from '../../src/plan/model/protocol.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { readSettings } from '../../src/config.ts';
import { workflowBundle } from '../../src/temporal/bundle.ts';
import { changeSinks } from '../../workers/parts/changes.ts';
import { pipelineStatus, signalTrigger, workflowLookup } from '../../src/temporal/calls.ts';
import { Fakes, type FakeProject } from './fakes.ts';
import { planOf, triggerOf } from './plans.ts';
import { startTemporal, type TestTemporal } from './temporal.ts';

/** Hosts h1 and h2 have workers; `ghost` and queue `nowhere` have none. */
const QUEUES = ['amd64', 'forks-amd64', 'host-h1', 'host-h2', 'deploy-prod'];

export class World {
  readonly temporal: TestTemporal;
  readonly fakes: Fakes;
  readonly #workers: Worker[];
  readonly #runs: Promise<void>[];
  readonly #connection: NativeConnection;

  private constructor(of: {
    temporal: TestTemporal;
    fakes: Fakes;
    workers: Worker[];
    connection: NativeConnection;
  }) {
    this.temporal = of.temporal;
    this.fakes = of.fakes;
    this.#workers = of.workers;
    this.#connection = of.connection;
    this.#runs = of.workers.map((worker) => worker.run());
  }

  static async start(options: { ui?: boolean } = {}): Promise<World> {
    quiet();
    const temporal = await startTemporal(options);
    const fakes = new Fakes();
    fakes.start = (trigger) => signalTrigger(temporal.client, trigger);
    const { newestOf, lookup, requestCancel } = workflowLookup(temporal.client);
    fakes.newest = (project) => newestOf(project, 'main');
    fakes.lookup = lookup;
    fakes.requestCancel = ({ workflowId, runId }) => requestCancel(workflowId, runId);
    const connection = await NativeConnection.connect({ address: temporal.address });
    const shared = { connection, namespace: temporal.namespace, activities: { ...fakes.activities() } };
    const more = {
      maxHeartbeatThrottleInterval: 100,
      shutdownGraceTime: 0,
      shutdownForceTime: '2s' as const,
    };
    const bundle = await workflowBundle(readSettings().cache);
    const workers = [
      await Worker.create({
        ...shared,
        ...more,
        taskQueue: 'control',
        workflowBundle: bundle,
        sinks: changeSinks(),
      }),
      ...(await Promise.all(QUEUES.map((taskQueue) => Worker.create({ ...shared, ...more, taskQueue })))),
    ];
    return new World({ temporal, fakes, workers, connection });
  }

  get client(): Client {
    return this.temporal.client;
  }

  project(slug: string, of: Partial<FakeProject>): void {
    this.fakes.projects.set(slug, { plan: planOf([]), limits: {}, behaviours: {}, ...of });
  }

  /** Signals a trigger and waits until the project has started its pipeline. */
  async push(slug: string, more: Partial<Trigger> = {}): Promise<PipelineId> {
    const trigger = triggerOf(slug, more);
    await signalTrigger(this.client, trigger);
    const found = await until(`${trigger.key} has a pipeline`, async () => {
      const known = await this.lookup(slug, trigger.key);
      return known.pipeline === undefined ? undefined : known;
    });
    return found.pipeline ?? pipelineId(slug, 0);
  }

  lookup(slug: string, key: string): Promise<KeyLookup> {
    return this.client.workflow
      .getHandle(projectWorkflowId(slug))
      .query<KeyLookup, [string]>(QUERIES.lookup, key);
  }

  handle(id: PipelineId): WorkflowHandle {
    return this.client.workflow.getHandle(pipelineWorkflowId(id));
  }

  status(id: PipelineId): Promise<PipelineStatus> {
    return pipelineStatus(this.client, id);
  }

  projectStatus(slug: string): Promise<ProjectStatus> {
    return this.client.workflow.getHandle(projectWorkflowId(slug)).query<ProjectStatus>(QUERIES.project);
  }

  /** Number of jobs of a project that have run. */
  runs(slug: string): number {
    return this.fakes.journal(slug).filter((entry) => entry.activity === 'runJob').length;
  }

  /** Waits until a condition holds for a pipeline. */
  async when(
    id: PipelineId,
    what: string,
    test: (status: PipelineStatus) => boolean,
  ): Promise<PipelineStatus> {
    let last: PipelineStatus | undefined;
    try {
      return await until(`${id}: ${what}`, async () => {
        last = await this.status(id);
        return test(last) ? last : undefined;
      });
    } catch (error) {
      throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`, { cause: error });
    }
  }

  /** Waits until the workflow has closed, however it ended. */
  async closed(id: PipelineId): Promise<void> {
    await this.handle(id)
      .result()
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowFailedError)) throw error;
      });
  }

  /** The verdict, once the workflow has closed. */
  async end(id: PipelineId): Promise<PipelineStatus> {
    await this.closed(id);
    return this.status(id);
  }

  async close(): Promise<void> {
    this.fakes.end();
    for (const worker of this.#workers) worker.shutdown();
    await Promise.allSettled(this.#runs);
    await this.#connection.close();
    await this.temporal.close();
  }
}

/** Polls until there is a result; after 30 s it fails and names what it waited for. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, forMs = 30_000): Promise<T> {
  const deadline = Date.now() + forMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(25);
  }
}

let installed = false;
/** Workers of a test log only errors; set once per process. */
export function quiet(): void {
  if (installed) return;
  installed = true;
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
}
