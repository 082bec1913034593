import { TypedSearchAttributes } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  patched,
  startChild,
  uuid4,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ClaimOutput } from '../../activities/contract.ts';
import {
  pipelineId,
  pipelineWorkflowId,
  parsePipelineId,
  type PipelineId,
} from '../../src/plan/model/ids.ts';
import {
  forgetQueued,
  headOf,
  isForgeEvent,
  lateness,
  newerThan,
  rememberLate,
  pushedHead,
  knownTrigger,
  rememberHead,
  rememberKey,
  superseded,
  type KnownKey,
  type ProjectMemory,
} from '../../src/plan/policy/memory.ts';
import {
  SIGNALS,
  WORKFLOWS,
  type Decision,
  type PipelineInput,
  type RerunRequest,
} from '../../src/plan/model/protocol.ts';
import { pushKey, type Trigger } from '../../src/plan/model/trigger.ts';
import { summaryText } from '../../src/plan/policy/display-text.ts';
import { bestEffort, durable } from '../activities.ts';
import { causeMessage } from '../failures.ts';
import { tellUpstream } from '../upstream-link.ts';
import { startAttributes } from '../visibility.ts';

/** Between two tries it was open, then closed: nobody is that fast for long. */
const TRIES = 5;

/** What comes in, one at a time: W1 and W2 of the project workflow. */
export class Intake {
  readonly #project: string;
  readonly #memory: ProjectMemory;

  constructor(project: string, memory: ProjectMemory) {
    this.#project = project;
    this.#memory = memory;
  }

  get hasWork(): boolean {
    return this.#memory.queue.length > 0 || this.#memory.reruns.length > 0;
  }

  /** Synchronous, for the signal's handler. */
  arrives(trigger: Trigger): void {
    const answer = knownTrigger(this.#memory, trigger, 'arrives');
    // A job that asks again has not heard what became of it.
    if (answer === 'repeated' && !trigger.upstream) return;
    if (answer === 'new')
      rememberKey(this.#memory, { key: trigger.key, state: 'queued' }, trigger.deliveryId);
    this.#memory.queue.push(trigger);
  }

  asked(request: RerunRequest): void {
    this.#memory.reruns.push(request);
  }

  async next(): Promise<void> {
    const rerun = this.#memory.reruns[0];
    if (rerun) {
      await this.#rerun(rerun);
      this.#memory.reruns.shift();
      return;
    }
    const trigger = this.#memory.queue[0];
    if (!trigger) return;
    try {
      await this.#begin(trigger);
    } catch (error) {
      // Refused for good by the store or by Temporal: the event is answered, the next one has its turn.
      this.#remember(trigger, { state: 'refused', message: causeMessage(error) });
    }
    if (trigger.upstream) await this.#answer(trigger);
    this.#memory.queue.shift();
  }

  /** To the job of another pipeline that has asked: which one it is. */
  async #answer(trigger: Trigger): Promise<void> {
    const known = this.#memory.keys.find((entry) => entry.key === trigger.key);
    const { pipeline, message } = known ?? {};
    if (pipeline) return tellUpstream(trigger, { what: 'started', pipeline });
    await tellUpstream(trigger, { what: 'refused', reason: message ?? 'The project did not start it.' });
  }

  async #begin(trigger: Trigger): Promise<void> {
    const answer = knownTrigger(this.#memory, trigger, 'begins');
    if (answer === 'repeated') return;
    if (trigger.reconciled && patched('reconciled')) return this.#found(trigger, trigger.reconciled);
    const known = answer === 'new' ? lateness(this.#memory, trigger) : 'next';
    // A forge that does not answer: the reconciler looks again.
    if (known === 'late' || (known === 'ask' && !(await this.#isHead(trigger))))
      return this.#remember(trigger, { state: 'duplicate' });
    await this.#once(trigger, answer);
  }

  /** What the reconciler saw may be over by now, and a delivery may have come since. */
  async #found(trigger: Trigger, { ref, after }: { ref: string; after: string }): Promise<void> {
    const last = pushedHead(this.#memory, trigger);
    if (last?.sha === trigger.sha) return this.#remember(trigger, { state: 'duplicate' });
    if (!(await this.#isHead(trigger))) return forgetQueued(this.#memory, trigger.key);
    // Of a tag the memory has the commit and not the tag itself.
    const before = trigger.refKind === 'branch' && last ? last.sha : trigger.before;
    const exact: Trigger = { ...trigger, before, key: pushKey({ ref, before, after }) };
    await this.#once(exact, knownTrigger(this.#memory, exact, 'begins'));
    const known = this.#memory.keys.find((entry) => entry.key === exact.key);
    this.#remember(trigger, { state: known?.state ?? 'duplicate', pipeline: known?.pipeline });
  }

  async #once(trigger: Trigger, answer: 'new' | 'repeated' | 'ask'): Promise<void> {
    if (answer === 'repeated') return;
    const first = answer === 'new' ? await this.#claim(trigger, trigger.key) : undefined;
    const claim = first?.fresh ? first : await this.#pushedBack(trigger, first);
    if (claim) await this.#start(trigger, claim);
  }

  /** The key is known, the delivery is not. It runs only if the forge's head is this commit now, and was another one. */
  async #pushedBack(trigger: Trigger, first: ClaimOutput | undefined): Promise<ClaimOutput | undefined> {
    const { project, ref, sha, deliveryId, key } = trigger;
    const known = this.#memory.keys.find((entry) => entry.key === key);
    const pipeline = first ? pipelineId(project, first.iid) : known?.pipeline;
    const moved = headOf(this.#memory, trigger)?.sha !== sha;
    const again = isForgeEvent(trigger.source) && moved && (await this.#isHead({ project, ref, sha }));
    const claim = again ? await this.#claim(trigger, `${key}#${deliveryId}`) : undefined;
    if (claim?.fresh) return claim;
    this.#remember(trigger, { state: known?.state === 'started' ? 'started' : 'duplicate', pipeline });
    return undefined;
  }

  #claim(trigger: Trigger, key: string): Promise<ClaimOutput> {
    const { project, deliveryId } = trigger;
    return durable.claimPipeline({ project, key, deliveryId, claimId: uuid4() });
  }

  async #isHead(of: { project: string; ref: string; sha: string }): Promise<boolean> {
    try {
      return await bestEffort.forgeHeadIs(of);
    } catch {
      // The forge does not answer: a repeated event is taken for what it most likely is.
      return false;
    }
  }

  async #start(trigger: Trigger, claim: ClaimOutput): Promise<void> {
    const id = pipelineId(trigger.project, claim.iid);
    const older = superseded(this.#memory, trigger);
    // What a job of another pipeline started is no news of its ref: it neither supersedes nor is superseded by having started.
    const newer = trigger.upstream ? undefined : newerThan(this.#memory, trigger);
    const { iid, number } = claim;
    const input: PipelineInput = { id, iid, number, trigger, order: newer?.order };
    await this.#startRun(input, WorkflowIdReusePolicy.REJECT_DUPLICATE);
    this.#remember(trigger, { state: 'started', pipeline: id });
    if (trigger.upstream) return;
    if (newer) {
      rememberLate(this.#memory, trigger);
      return this.#supersede(id, newer.pipeline);
    }
    rememberHead(this.#memory, trigger, id);
    for (const run of older) await this.#supersede(run.id, id);
  }

  async #startRun(input: PipelineInput, reuse: WorkflowIdReusePolicy): Promise<void> {
    const { id, iid, trigger } = input;
    const child = await startChild(WORKFLOWS.pipeline, {
      workflowId: pipelineWorkflowId(id),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      workflowIdReusePolicy: reuse,
      staticSummary: summaryText(trigger),
      memo: { summary: summaryText(trigger) },
      typedSearchAttributes: new TypedSearchAttributes(startAttributes(trigger)),
    });
    const { ref, refKind, source, upstream } = trigger;
    const origin = upstream && upstream.depth > 0 ? { origin: upstream.origin } : {};
    const run = { id, runId: child.firstExecutionRunId, ref, refKind, source, iid, ...origin };
    this.#memory.running = [...this.#memory.running.filter((other) => other.id !== id), run];
  }

  /** The older pipeline decides by its own plan whether that ends it. */
  async #supersede(older: PipelineId, by: PipelineId): Promise<void> {
    try {
      await getExternalWorkflowHandle(pipelineWorkflowId(older)).signal(SIGNALS.superseded, { by });
    } catch {
      // It has closed without a word (terminated).
      this.#memory.running = this.#memory.running.filter((run) => run.id !== older);
    }
  }

  /** A new run of a closed pipeline, from its record. */
  async #rerun({ pipeline, decision }: RerunRequest): Promise<void> {
    const iid = parsePipelineId(pipeline)?.iid;
    const { record, number, trigger, order } = await durable.findRecord({ id: pipeline });
    if (!record || iid === undefined || number === undefined || !trigger) return;
    if (trigger.project !== this.#project) return;
    const input: PipelineInput = { id: pipeline, iid, number, trigger, order, seed: { record, decision } };
    for (let left = TRIES; left > 0; left -= 1) {
      try {
        return await this.#startRun(input, WorkflowIdReusePolicy.ALLOW_DUPLICATE);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return;
      }
      if (await this.#tell(pipeline, decision)) return;
    }
  }

  /** It is open, for somebody was faster: then it is told there. False: it has closed meanwhile. */
  async #tell(pipeline: PipelineId, decision: Decision): Promise<boolean> {
    try {
      await getExternalWorkflowHandle(pipelineWorkflowId(pipeline)).signal(SIGNALS.decide, decision);
      return true;
    } catch {
      return false;
    }
  }

  #remember(trigger: Trigger, entry: Omit<KnownKey, 'key' | 'deliveries'>): void {
    rememberKey(this.#memory, { key: trigger.key, ...entry }, trigger.deliveryId);
  }
}
