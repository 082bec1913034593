/** Queries, updates and signals of a pipeline, in one place; set before its first await. */
import { defineQuery, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type { DownstreamNews, Follower } from '../../src/plan/model/downstream.ts';
import {
  QUERIES,
  SIGNALS,
  UPDATES,
  type ApproveSignal,
  type Asker,
  type Decision,
  type DecisionAnswer,
  type JobStarted,
  type PipelineStatus,
  type Superseded,
  type UpdateName,
} from '../../src/plan/model/protocol.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { LockGrant } from '../../src/plan/model/locks.ts';
import { decideProven, validate, type DecisionTarget } from './submit-decision.ts';
import { setLivePhase } from '../job/state.ts';

export interface PipelineHandlers {
  id: PipelineId;
  status(): PipelineStatus;
  /** Undefined until there is a plan. */
  target(): DecisionTarget | undefined;
  superseded(by: string): void;
  cancelled(by: Asker): void | Promise<void>;
  downstream(news: DownstreamNews): void;
  followed(by: Follower): Promise<void>;
}

export function setPipelineHandlers(pipeline: PipelineHandlers): void {
  setHandler(defineQuery<PipelineStatus>(QUERIES.status), () => pipeline.status());
  for (const action of Object.keys(UPDATES) as UpdateName[])
    setHandler(
      defineUpdate<DecisionAnswer, [Decision]>(UPDATES[action]),
      (decision) => decideProven(pipeline, { ...decision, action }),
      { validator: (decision) => validate(pipeline.target(), action, decision) },
    );
  setHandler(defineSignal<[ApproveSignal]>(SIGNALS.approve), async (approve) => {
    await decideProven(pipeline, {
      action: 'play',
      job: approve.job,
      comment: approve.comment,
      ...(approve.confirm !== undefined && { confirm: approve.confirm }),
      actor: approve.by ?? 'temporal',
      role: 'temporal',
      ...(approve.proof && { proof: approve.proof }),
    });
  });
  setHandler(defineSignal<[Decision]>(SIGNALS.decide), async (decision) => {
    await decideProven(pipeline, decision);
  });
  setHandler(defineSignal<[LockGrant]>(SIGNALS.lockGranted), (grant) =>
    pipeline.target()?.run.locks.granted(grant),
  );
  setHandler(defineSignal<[JobStarted]>(SIGNALS.jobStarted), (started) =>
    jobStarted(pipeline.target(), started),
  );
  setHandler(defineSignal<[Asker]>(SIGNALS.cancel), (by) => pipeline.cancelled(by));
  setHandler(defineSignal<[DownstreamNews]>(SIGNALS.downstream), (news) => pipeline.downstream(news));
  setHandler(defineSignal<[Follower]>(SIGNALS.follow), (by) => pipeline.followed(by));
  setHandler(defineSignal<[Superseded]>(SIGNALS.superseded), ({ by }) => pipeline.superseded(by));
}

/** A worker reports that the job runs. Reports of an earlier attempt or dispatch are ignored. */
function jobStarted(target: DecisionTarget | undefined, { ref, host }: JobStarted): void {
  const job = target?.run.jobs.find((other) => other.spec.key === ref.job);
  if (!target || !job) return;
  const { attempt, epoch } = job.status;
  if (ref.attempt !== attempt || ref.epoch < epoch || job.state.phase !== 'dispatched') return;
  job.attempt.host = host;
  job.attempt.startedAt ??= Date.now();
  target.run.queueWatch.remove(job);
  setLivePhase(target.run, job, { phase: 'running' });
}
