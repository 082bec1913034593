/**
 * Activities that run nothing: they behave as a test defines, per job and attempt, and keep a journal. They
 * implement the real contract on a real Temporal server, so that workflows are tested with real queues,
 * timeouts and cancellation.
 */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type {
  AllActivities,
  ApplyOutput,
  CompileOutput,
  DeployInput,
  DownstreamInput,
  Limits,
  RunInput,
  ReleaseOutput,
} from '../../activities/contract.ts';
import type { ApprovalAnswer, ApprovalQuestion } from '../../src/plan/model/approval.ts';
import type { BuiltImage, JobResult, Outcome } from '../../src/plan/model/outcome.ts';
import type { Plan } from '../../src/plan/model/plan.ts';
import { parsePipelineId, type Digest, type PipelineId } from '../../src/plan/model/ids.ts';
import type { Message } from '../../src/plan/model/message.ts';
import type { DecisionProof, ProofAnswer } from '../../src/plan/model/proof.ts';
import type { KeyLookup } from '../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import { downstreamKey, type Trigger } from '../../src/plan/model/trigger.ts';
import { thrown, type Thrown } from './fake-failures.ts';
import { LIMITS } from './fake-limits.ts';
import { SPEC } from './plans.ts';

export { LIMITS };
/** One dispatch of one job. An empty one succeeds at once. */
export interface Behaviour {
  outcome?: Outcome;
  kind?: JobResult['kind'];
  exit?: number;
  /** Default: true unless errored. */
  started?: boolean;
  /** Runs until it is cancelled. */
  hang?: boolean;
  /**
   * Its reaction to a cancellation: like an activity that has cleaned up (default), or with its own result.
   */
  onCancel?: 'cancelled' | 'result';
  /** Fails like a worker that shuts down, or that lacks a tag. */
  throw?: Thrown;
  /** Heartbeats once, with the host or without, and never again. */
  silent?: 'with-host' | 'without-host';
  host?: string;
  /** Waits for `world.open(slug, gateName)`. */
  until?: string;
  apply?: 'applied' | 'already' | 'outdated' | 'failed' | 'approval';
  /** Digest of the image that it builds. */
  image?: Digest;
}
export interface FakeProject {
  plan: Plan;
  limits: Partial<Limits>;
  /**
   * By job: the behaviour of each call, the last one for all further calls. Keys `JOB`, or `JOB
   * apply|watch|rollback|resume|stop`.
   */
  behaviours: Record<string, Behaviour[]>;
  /** A function is called for each compilation; it may throw. */
  compile?: CompileOutput | (() => CompileOutput);
  /** By default it is created. */
  release?: ReleaseOutput;
  /** Compilation waits for the gate `compiled`. */
  compileUntil?: boolean;
  /** The first record of a pipeline waits for the gate `recorded`. */
  recordUntil?: boolean;
  /** Its next pipelines wait in the project for the gate `claimed`. */
  claimUntil?: boolean;
  head?: string;
  /**
   * By trigger job: the project whose plan its pipeline runs, or the reason for a refusal. Attempts of child
   * pipelines nest by depth.
   */
  downstreams?: Record<string, { to: string } | { refused: string }>;
}
export interface Entry {
  activity: string;
  pipeline?: string;
  job?: string;
  attempt?: number;
  epoch?: number;
  seq?: number;
  at: number;
}

export class Fakes {
  readonly projects = new Map<string, FakeProject>();
  readonly journals = new Map<string, Entry[]>();
  readonly records = new Map<string, PipelineRecord>();
  readonly closed = new Set<string>();
  readonly #calls = new Map<string, number>();
  readonly #claims = new Map<string, { claimId: string; iid: number; number: number }>();
  readonly #doors = new Map<string, { open: () => void; promise: Promise<void> }>();
  #number = 100;
  /** Set by the world: requests a pipeline of a project. */
  start: (trigger: Trigger) => Promise<void> = async () => undefined;
  /** Real ones, for tests of a forge. */
  statuses: Pick<AllActivities, 'reportCommitStatus' | 'writeCommitStatus'> | undefined;
  /** Set by the world: what a project knows about a key. */
  lookup: (project: string, key: string) => Promise<KeyLookup> = async () => ({ state: 'unknown' });
  /** Set by the world: the newest pipeline of main. */
  newest: (project: string) => Promise<PipelineId | undefined> = async () => undefined;
  /** Set by the world: asks Temporal to cancel a run. */
  requestCancel: AllActivities['requestCancel'] = async () => undefined;
  /** What the server says about approvals. */
  approvals: (question: ApprovalQuestion) => Promise<ApprovalAnswer> = async () => ({ verdict: 'stands' });
  /** What the control worker says about messages that decide something. */
  proofs: (message: Message) => Promise<ProofAnswer> = async () => ({ verdict: 'proven' });

  /** What the server says when a project wants to stop an environment by itself. */
  stopProof: () => Promise<{ proof?: DecisionProof; refused?: string }> = async () => ({});

  /** Releases every behaviour with this `until`. */
  open(slug: string, name: string): void {
    this.#door(slug, name).open();
  }

  /** Releases every activity, silent ones too. */
  end(): void {
    for (const door of this.#doors.values()) door.open();
  }

  journal(slug: string): Entry[] {
    const journal = this.journals.get(slug) ?? [];
    this.journals.set(slug, journal);
    return journal;
  }

  activities(): AllActivities {
    return {
      claimPipeline: async ({ project, key, claimId }) => {
        if (this.projects.get(project)?.claimUntil) await this.#stay(project, { until: 'claimed' });
        return this.#claim(project, key, claimId);
      },
      checkProof: async (message) => this.proofs(message),
      proveStop: async () => this.stopProof(),
      checkApproval: async (question) => {
        const answer = await this.approvals(question);
        this.#note(question.project, { activity: `checkApproval ${answer.verdict}`, job: question.job });
        return answer;
      },
      forgeHeadIs: async ({ project, sha }) => this.projects.get(project)?.head === sha,
      compilePipeline: async ({ trigger }) => {
        this.#note(trigger.project, { activity: 'compilePipeline' });
        if (this.projects.get(trigger.project)?.compileUntil)
          await this.#stay(trigger.project, { until: 'compiled' });
        return this.#compile(trigger.project);
      },
      loadRecord: async ({ record }) => this.#load(record),
      findRecord: async ({ id }) => this.#find(id),
      findGiven: async () => ({ given: [] }),
      startDownstream: (input) => this.#startDownstream(input),
      findMirrored: async ({ mirrors }) => {
        const pipeline = await this.newest(mirrors);
        return pipeline ? { project: mirrors, pipeline } : { refused: 'It has no pipeline.' };
      },
      // Child pipelines are in separate projects here.
      findDownstream: async ({ project, key }) => {
        const targets = Object.values(this.projects.get(project)?.downstreams ?? {});
        for (const one of [project, ...targets.flatMap((to) => ('to' in to ? [to.to] : []))]) {
          const known = await this.lookup(one, key);
          if (known.state !== 'unknown') return known;
        }
        return { state: 'unknown' };
      },
      lookDownstream: async ({ id }) => ({
        closed: this.closed.has(`pipeline/${id}`),
        state: this.records.get(id)?.status.state,
      }),
      closeLog: async ({ ref }) => {
        this.#note(slugOf(ref.pipeline), { activity: 'closeLog', ...ref });
        return { bytes: 0, crc: '00000000', complete: false };
      },
      recordPipeline: async ({ record }) => {
        const { project } = record.status;
        const isFirst = !this.journal(project).some(({ activity }) => activity === 'recordPipeline');
        if (isFirst && this.projects.get(project)?.recordUntil) {
          this.#note(project, { activity: 'recordPipeline' });
          await this.#stay(project, { until: 'recorded' });
        }
        this.records.set(record.status.id, record);
        this.#note(record.status.project, { activity: 'recordPipeline' });
        return { record: SPEC };
      },
      reportCommitStatus: async (report) => {
        this.#note(report.project, { activity: `reportCommitStatus ${report.state}` });
        await this.statuses?.reportCommitStatus(report);
      },
      writeCommitStatus: async (write) => this.statuses?.writeCommitStatus(write),
      createRelease: async ({ project, job }) => {
        this.#note(project, { activity: 'createRelease', job });
        return this.projects.get(project)?.release ?? { kind: 'made', tag: 'v1', warnings: ['left out'] };
      },
      publishPages: async ({ project, job }) => {
        this.#note(project, { activity: 'publishPages', job });
        return { kind: 'published', url: 'http://davit.test/pages/x', warnings: [] };
      },
      isClosed: async ({ workflowId }) => this.closed.has(workflowId),
      requestCancel: (run) => this.requestCancel(run),
      runJob: (input) => this.#job('runJob', input),
      buildImage: (input) => this.#job('buildImage', input),
      apitest: (input) => this.#job('apitest', input),
      pushImage: (input) => this.#job('pushImage', input),
      resumeJob: (input) => this.#job('resumeJob', input, ' resume'),
      stopJob: async ({ ref }) => this.#note(slugOf(ref.pipeline), { activity: 'stopJob', ...ref }),
      releaseJobs: async ({ pipeline, refs }) => {
        for (const ref of refs) this.#note(slugOf(pipeline), { activity: 'releaseJobs', ...ref });
      },
      applyDeploy: (input) => this.#apply(input),
      watchDeploy: (input) => this.#job('watchDeploy', input, ' watch'),
      rollbackDeploy: async (input) => {
        await this.#behave('rollbackDeploy', { ...input, seq: input.newSeq }, ' rollback');
        return { ...deployed(input), seq: input.newSeq, state: 'rolled_back' };
      },
    };
  }

  #note(slug: string, entry: Omit<Entry, 'at'>): void {
    const { activity, pipeline, job, attempt, epoch, seq } = entry;
    this.journal(slug).push({ activity, pipeline, job, attempt, epoch, seq, at: Date.now() });
  }

  #claim(project: string, key: string, claimId: string): { iid: number; number: number; fresh: boolean } {
    const name = `${project} ${key}`;
    const known = this.#claims.get(name);
    if (known) return { ...known, fresh: known.claimId === claimId };
    const iid = [...this.#claims.keys()].filter((other) => other.startsWith(`${project} `)).length + 1;
    this.#number += 1;
    this.#claims.set(name, { claimId, iid, number: this.#number });
    return { iid, number: this.#number, fresh: true };
  }

  #compile(slug: string): CompileOutput {
    const project = this.projects.get(slug);
    if (!project) throw ApplicationFailure.nonRetryable(`no fake project ${slug}`);
    const { compile } = project;
    if (compile) return typeof compile === 'function' ? compile() : compile;
    const ids = project.plan.jobs.map((job, at): [string, number] => [job.key, 1_000 + at]);
    return {
      kind: 'plan',
      plan: project.plan,
      planBlob: SPEC,
      jobIds: Object.fromEntries(ids),
      warnings: [],
      limits: { ...LIMITS, ...project.limits },
      source: SPEC,
    };
  }

  async #startDownstream(input: DownstreamInput): ReturnType<AllActivities['startDownstream']> {
    const { ref, trigger, number, strategy, at } = input;
    this.#note(trigger.project, { activity: 'startDownstream', ...ref });
    const behaviour = this.#next(trigger.project, ref.job);
    if (behaviour.throw) throw new Error('the process ended before it could respond');
    const to = this.projects.get(trigger.project)?.downstreams?.[ref.job] ?? { refused: 'nowhere' };
    if ('refused' in to) return to;
    const { pipeline, job, attempt } = ref;
    const above = trigger.upstream;
    const upstream = {
      pipeline,
      job,
      attempt,
      ...(strategy && { strategy }),
      config: SPEC,
      depth: (above?.depth ?? 0) + 1,
      family: above?.family ?? number,
      root: above?.root ?? number,
      origin: above?.origin ?? trigger.source,
      chain: [],
    };
    const key = downstreamKey(upstream);
    const child = {
      ...trigger,
      project: to.to,
      source: 'parent_pipeline' as const,
      upstream,
      receivedAt: at,
    };
    await this.start({ ...child, key, deliveryId: key });
    if (behaviour.until) await this.#stay(trigger.project, behaviour);
    return { project: to.to };
  }

  #load(digest: Digest): ReturnType<AllActivities['loadRecord']> {
    const id = [...this.records.keys()].find((other) => digestOf(other) === digest);
    const record = id === undefined ? undefined : this.records.get(id);
    if (!record) throw ApplicationFailure.nonRetryable('no such record');
    const compiled = this.#compile(record.status.project);
    return Promise.resolve({ record, compiled: compiled.kind === 'plan' ? compiled : undefined });
  }

  #find(id: string): ReturnType<AllActivities['findRecord']> {
    const record = this.records.get(id);
    if (!record) return Promise.resolve({});
    return Promise.resolve({ record: digestOf(id), number: record.status.number, trigger: record.trigger });
  }

  async #job(activity: string, input: RunInput, suffix = ''): Promise<JobResult> {
    const behaviour = await this.#behave(activity, input, suffix);
    const outcome = behaviour.outcome ?? 'succeeded';
    const now = Date.now();
    return {
      outcome,
      kind:
        behaviour.kind ?? (outcome === 'failed' ? 'script' : outcome === 'errored' ? 'engine' : undefined),
      exitCode: behaviour.exit ?? (outcome === 'succeeded' ? 0 : outcome === 'failed' ? 1 : undefined),
      started: behaviour.started ?? outcome !== 'errored',
      host: behaviour.host ?? 'h1',
      startedAt: now,
      endedAt: now,
      ...(behaviour.image && { image: imageOf(behaviour.image) }),
      ...(activity === 'watchDeploy'
        ? { deployed: { ...deployed(input), state: outcome === 'succeeded' ? 'converged' : 'unknown' } }
        : {}),
    };
  }

  async #apply(input: DeployInput): Promise<ApplyOutput> {
    const behaviour = await this.#behave('applyDeploy', input, ' apply');
    const state = deployed(input);
    if (input.onlyLook && behaviour.apply !== 'already')
      return { kind: 'failed', result: { outcome: 'cancelled', started: false } };
    if (behaviour.apply === 'outdated') return { kind: 'outdated', state };
    if (behaviour.apply === 'approval')
      return { kind: 'failed', result: { outcome: 'failed', kind: 'approval', started: false } };
    if (behaviour.apply === 'failed')
      return { kind: 'failed', result: { outcome: 'failed', kind: 'config', started: false } };
    return { kind: behaviour.apply ?? 'applied', state, previous: 'before' };
  }

  async #behave(activity: string, input: RunInput & { seq?: number }, suffix: string): Promise<Behaviour> {
    const { ref, project } = input;
    this.#note(project, { activity, ...ref, seq: input.seq });
    const behaviour = this.#next(project, `${ref.job}${suffix}`);
    const host = behaviour.host ?? 'h1';
    const context = Context.current();
    if (behaviour.silent) {
      context.heartbeat(behaviour.silent === 'with-host' ? { host } : undefined);
      await this.#door(project, 'never').promise;
    }
    context.heartbeat({ host });
    if (behaviour.throw) throw thrown(behaviour.throw, host);
    if (behaviour.hang || behaviour.until) await this.#stay(project, behaviour);
    return behaviour;
  }

  async #stay(slug: string, behaviour: Behaviour): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat({ host: behaviour.host ?? 'h1' }), 200);
    const door = behaviour.until
      ? this.#door(slug, behaviour.until).promise
      : new Promise<void>(() => undefined);
    try {
      await Promise.race([door, context.cancelled]);
    } catch (error) {
      if (!(error instanceof CancelledFailure) || behaviour.onCancel !== 'result') throw error;
    } finally {
      clearInterval(beat);
    }
  }

  #next(slug: string, name: string): Behaviour {
    const list = this.projects.get(slug)?.behaviours[name] ?? [];
    const call = this.#calls.get(`${slug} ${name}`) ?? 0;
    this.#calls.set(`${slug} ${name}`, call + 1);
    return list[Math.min(call, list.length - 1)] ?? {};
  }

  #door(slug: string, name: string): { open: () => void; promise: Promise<void> } {
    const key = `${slug} ${name}`;
    const known = this.#doors.get(key);
    if (known) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const door = { open: resolve, promise };
    this.#doors.set(key, door);
    return door;
  }
}

const imageOf = (digest: Digest): BuiltImage => ({
  repository: 'table',
  digest,
  platform: { os: 'linux', architecture: 'amd64' },
  sizeBytes: 1,
});
const slugOf = (pipeline: string): string => parsePipelineId(pipeline)?.slug ?? '';
const digestOf = (id: string): Digest =>
  `sha256:${Buffer.from(id).toString('hex').padStart(64, '0').slice(-64)}`;
const deployed = (input: RunInput & { seq?: number; deployId?: string }) => ({
  target: 'prod',
  service: 'table',
  deployId: input.deployId ?? '',
  seq: input.seq ?? 0,
  image: 'table@sha256:0',
  state: 'unknown' as const,
});
