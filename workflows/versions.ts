/**
 * Every change to the steps of a workflow, behind `patched`: runs that began before it replay without it.
 *
 * A version can be removed, in two releases (`deprecatePatch` first), when no run from before its date is
 * replayed any more. A pipeline is replayed until its deadline (30 days by default) and then Temporal's
 * retention (30 days) have passed: `removableFrom` is the date plus 60 days. A project's run ends only when
 * it continues as new, so its versions stay until a release that all installations have to pass through.
 *
 * An id is never changed or used again. `patched` may be asked only where the run takes the new steps: it
 * leaves a mark in the history, so it is the last operand of a condition.
 */
import { patched } from '@temporalio/workflow';

export interface Version {
  /** The id in recorded histories. */
  id: string;
  /** The day on which the change was committed. */
  since: string;
  /** The first day on which no pipeline needs it; undefined for a project, whose runs have no end. */
  removableFrom: string | undefined;
}

export const VERSIONS = {
  /** A trigger of the reconciler is compared with the known heads before it starts a pipeline. */
  reconciledTriggers: { id: 'reconciled', since: '2026-11-21', removableFrom: undefined },
  /** A start of a downstream pipeline that is refused when it is asked for again ends the trigger job. */
  refusalWhenAskedAgain: { id: 'downstream-refused-again', since: '2026-11-21', removableFrom: '2027-01-20' },
  /**
   * A cancelled trigger job asks the project what became of its key, and does not start the pipeline again.
   */
  cancelledTriggerLooksUp: { id: 'downstream-let-go', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** A cancelled trigger job voids its key at the project, so that a late start finds it refused. */
  cancelledTriggerVoidsKey: { id: 'downstream-void', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** A cancelled deployment without a reply looks at the target and applies nothing. */
  cancelledDeployOnlyLooks: { id: 'deploy-look', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** A deployment is given up only while it has no worker, not a fixed time after the first loss. */
  deployOutlivesWorkers: { id: 'deploy-outlives-workers', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** The log of an attempt whose host is lost is closed, and the host is asked to remove its container. */
  lostHostClosesLog: { id: 'log-of-a-lost-machine-closed', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** After a full disk a job is retried once, because space was freed. */
  noSpaceRetriedOnce: { id: 'no-space-once', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** A dispatch whose worker never sent a heartbeat is replaced by the next attempt. */
  lostDispatchReplaced: { id: 'unheard', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** A dispatch that is fenced by a higher one is replaced: a run that was reset counts from 1 again. */
  fencedDispatchReplaced: { id: 'epoch-raised', since: '2026-11-21', removableFrom: '2027-01-20' },
  /** An older commit that a person asks for, or that is pushed back, starts and is superseded by nothing. */
  olderCommitStarts: { id: 'older-commit-starts', since: '2026-11-29', removableFrom: undefined },
  /** Approvals are looked at again when the job begins: a right that was lost meanwhile asks again. */
  approvalsReadAgain: { id: 'approvals-read-again', since: '2026-11-29', removableFrom: '2027-01-28' },
  /** The id of an activity that stops an attempt names it, so that its worker gets the token of that attempt. */
  stopsNameTheirAttempt: { id: 'stop-named', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** A pipeline waits for its forge for hours, and says so. */
  compileWaitsForForge: { id: 'compile-waits', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** Messages that decide something count only with a proof that the server made them. */
  messagesAreProven: { id: 'messages-proven', since: '2026-11-30', removableFrom: undefined },
  /** The workflow of a pipeline that did not succeed ends as failed or cancelled in Temporal, too. */
  endsAsItsPipeline: { id: 'ends-as-its-pipeline', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** Every state of a pipeline is told to the forge, by a workflow of its own that outlives the pipeline. */
  statusOfEachState: { id: 'status-of-each-state', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** What waits for a person or a worker is searchable by one word, and an optional manual job waits for nobody. */
  waitsInGroups: { id: 'waits-in-groups', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** A step of a ref that was delivered out of order is not started again by the reconciler. */
  reorderedIsKnown: { id: 'reordered-is-known', since: '2026-11-30', removableFrom: '2027-01-29' },
  /** A push that was delivered before the deletion that it follows is decided again after it. */
  pushBeforeItsDeletion: { id: 'push-before-its-deletion', since: '2026-11-30', removableFrom: undefined },
} as const satisfies Record<string, Version>;

/** True where this run takes the new steps. Leaves a mark in the history: ask it last. */
export const hasVersion = (name: keyof typeof VERSIONS): boolean => patched(VERSIONS[name].id);
