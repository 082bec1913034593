import { TypedSearchAttributes } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  getExternalWorkflowHandle,
  ParentClosePolicy,
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
import { applyDeletions, rememberDeletion, rememberRepeated } from '../../src/plan/policy/deletions.ts';
import {
  deliveredStep,
  deliveryWaits,
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
  isWanted,
} from '../../src/plan/policy/memory.ts';
import type { DeletedRef, KnownKey, ProjectMemory } from '../../src/plan/model/project-memory.ts';
import { SIGNALS, WORKFLOWS, type PipelineInput, type RerunRequest } from '../../src/plan/model/protocol.ts';
import { mergeKey, pushKey, type Trigger } from '../../src/plan/model/trigger.ts';
import { startText } from '../../src/plan/policy/details-text.ts';
import { summaryText } from '../../src/plan/policy/display-text.ts';
import { bestEffort, durable } from '../activities.ts';
import { causeMessage } from '../failures.ts';
import { unproven, verifies } from '../proof.ts';
import { hasVersion } from '../versions.ts';
import { tellChange } from '../changes.ts';
import { reportUpstream } from '../upstream-link.ts';
import { signalDecision } from './signal-decision.ts';
import { startAttributes } from '../visibility.ts';

/**
 * A pipeline may open and close again between two attempts to rerun it; five such races in a row do not
 * happen.
 */
const MAX_RERUN_RACES = 5;

/** Triggers and reruns, one at a time: PROJECT-1 and PROJECT-2. */
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
  enqueue(trigger: Trigger): void {
    const known = knownTrigger(this.#memory, trigger, 'arrives');
    // A job that asks again has not received the result.
    if (known === 'repeated' && !trigger.upstream) return rememberRepeated(this.#memory, trigger);
    if (known === 'new') rememberKey(this.#memory, { key: trigger.key, state: 'queued' }, trigger.deliveryId);
    this.#memory.queue.push(trigger);
  }

  /** Synchronous, for the signal's handler. */
  deleted(ref: DeletedRef): void {
    this.#decideAgain(rememberDeletion(this.#memory, ref));
  }

  #decideAgain(pushes: readonly Trigger[]): void {
    if (pushes.length > 0 && hasVersion('pushBeforeItsDeletion')) this.#memory.queue.push(...pushes);
  }

  enqueueRerun(request: RerunRequest): void {
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
      await this.#process(trigger);
    } catch (error) {
      // Permanently refused by the store or by Temporal: the event is done, the next one has its turn.
      this.#remember(trigger, { state: 'refused', message: causeMessage(error) });
    }
    if (trigger.upstream) await this.#reportStart(trigger);
    this.#memory.queue.shift();
    this.#decideAgain(applyDeletions(this.#memory, trigger.key));
  }

  /** To the trigger job that asked: the number of its pipeline, or why there is none. */
  async #reportStart(trigger: Trigger): Promise<void> {
    const known = this.#memory.keys.find((entry) => entry.key === trigger.key);
    const { pipeline, message } = known ?? {};
    if (pipeline) return reportUpstream(trigger, { what: 'started', pipeline });
    await reportUpstream(trigger, { what: 'refused', reason: message ?? 'The project did not start it.' });
  }

  async #process(trigger: Trigger): Promise<void> {
    const known = knownTrigger(this.#memory, trigger, 'begins');
    if (known === 'repeated') return rememberRepeated(this.#memory, trigger);
    // Nothing is remembered of it: the true event with this key may follow.
    if (verifies() && (await unproven({ kind: 'trigger', trigger })) !== undefined)
      return forgetQueued(this.#memory, trigger.key);
    if (trigger.reconciled && hasVersion('reconciledTriggers'))
      return this.#processReconciled(trigger, trigger.reconciled);
    const order = known === 'new' ? lateness(this.#memory, trigger) : 'next';
    // If the forge does not respond, the reconciler looks again.
    if (order === 'late' || (order === 'ask' && !(await this.#isHead(trigger))))
      return this.#remember(trigger, { state: 'duplicate' });
    await this.#startOnce(trigger, known);
  }

  /** What the reconciler saw may be outdated, and a delivery may have arrived since. */
  async #processReconciled(trigger: Trigger, { ref, after }: { ref: string; after: string }): Promise<void> {
    const last = pushedHead(this.#memory, trigger);
    if (last?.sha === trigger.sha) return this.#remember(trigger, { state: 'duplicate' });
    const step = deliveredStep(this.#memory, trigger);
    const isEarly = deliveryWaits(this.#memory, trigger);
    if ((step || isEarly) && hasVersion('reorderedIsKnown')) {
      // The reconciler looks again.
      if (isEarly || !step) return forgetQueued(this.#memory, trigger.key);
      return this.#rememberStep(trigger, step);
    }
    if (!(await this.#isHead(trigger))) return forgetQueued(this.#memory, trigger.key);
    // For a tag, the memory has the commit and not the tag object.
    const before = trigger.refKind !== 'tag' && last ? last.sha : trigger.before;
    const { mergeRequest: request, sha } = trigger;
    const key = request ? mergeKey({ iid: request.iid, before, sha }) : pushKey({ ref, before, after });
    const exact: Trigger = { ...trigger, before, key };
    await this.#startOnce(exact, knownTrigger(this.#memory, exact, 'begins'));
    const known = this.#memory.keys.find((entry) => entry.key === exact.key);
    this.#remember(trigger, { state: known?.state ?? 'duplicate', pipeline: known?.pipeline });
  }

  /** Its delivery came: the head is what the forge says, and what arrived last is older. Later deliveries count. */
  #rememberStep(trigger: Trigger, { before, pipeline }: { before: string; pipeline: PipelineId }): void {
    const { reconciled: _reconciled, ...delivered } = trigger;
    rememberHead(this.#memory, { ...delivered, before }, pipeline);
    this.#remember(trigger, { state: 'duplicate', pipeline });
  }

  async #startOnce(trigger: Trigger, known: 'new' | 'repeated' | 'ask'): Promise<void> {
    if (known === 'repeated') return;
    const first = known === 'new' ? await this.#claim(trigger, trigger.key) : undefined;
    const claim = first?.fresh ? first : await this.#claimPushBack(trigger, first);
    if (claim) await this.#start(trigger, claim);
  }

  /**
   * The key is known, the delivery is not. It starts only if this commit is the forge's head now and another
   * one was the head before.
   */
  async #claimPushBack(trigger: Trigger, first: ClaimOutput | undefined): Promise<ClaimOutput | undefined> {
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

  async #isHead(commit: Pick<Trigger, 'project' | 'ref' | 'sha'>): Promise<boolean> {
    try {
      return await bestEffort.forgeHeadIs(commit);
    } catch {
      // The forge does not respond: a repeated event is most likely a duplicate.
      return false;
    }
  }

  async #start(trigger: Trigger, claim: ClaimOutput): Promise<void> {
    const id = pipelineId(trigger.project, claim.iid);
    const older = superseded(this.#memory, trigger);
    // A downstream pipeline is not an event of its ref: its start supersedes nothing and is not out of order.
    const newer = trigger.upstream ? undefined : this.#newerThan(trigger);
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

  #newerThan(trigger: Trigger): ReturnType<typeof newerThan> {
    const newer = newerThan(this.#memory, trigger);
    return newer && isWanted(this.#memory, trigger) && hasVersion('olderCommitStarts') ? undefined : newer;
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
      staticDetails: startText(input),
      memo: { summary: summaryText(trigger) },
      typedSearchAttributes: new TypedSearchAttributes(startAttributes(trigger)),
    });
    const { ref, refKind, source, upstream } = trigger;
    const origin = upstream && upstream.depth > 0 ? { origin: upstream.origin } : {};
    const run = { id, runId: child.firstExecutionRunId, ref, refKind, source, iid, ...origin };
    this.#memory.running = [...this.#memory.running.filter((other) => other.id !== id), run];
  }

  /** The older pipeline decides by its own plan whether this ends it. */
  async #supersede(older: PipelineId, by: PipelineId): Promise<void> {
    try {
      await getExternalWorkflowHandle(pipelineWorkflowId(older)).signal(SIGNALS.superseded, { by });
    } catch {
      // It was terminated, and could not report its end.
      this.#memory.running = this.#memory.running.filter((run) => run.id !== older);
    }
  }

  /** A new run of a closed pipeline, from its record. */
  async #rerun({ pipeline, decision }: RerunRequest): Promise<void> {
    const iid = parsePipelineId(pipeline)?.iid;
    const { record, number, trigger, order } = await durable.findRecord({ id: pipeline });
    if (!record || iid === undefined || number === undefined || !trigger) return;
    if (trigger.project !== this.#project) return;
    if (verifies() && (await unproven({ kind: 'decision', pipeline, decision })) !== undefined) return;
    const input: PipelineInput = { id: pipeline, iid, number, trigger, order, seed: { record, decision } };
    for (let race = 0; race < MAX_RERUN_RACES; race += 1) {
      try {
        return await this.#startRun(input, WorkflowIdReusePolicy.ALLOW_DUPLICATE);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return;
      }
      // Another request may have opened it meanwhile, and it may have closed again.
      if (await signalDecision(pipeline, decision)) return;
    }
  }

  #remember(trigger: Trigger, entry: Omit<KnownKey, 'key' | 'deliveries'>): void {
    rememberKey(this.#memory, { key: trigger.key, ...entry }, trigger.deliveryId);
    tellChange({ project: this.#project, key: trigger.key });
  }
}
