/** What a pipeline listens to: defined in one place, set before its first await. */
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
  type LockGrant,
  type PipelineStatus,
  type Superseded,
  type UpdateName,
} from '../../src/plan/model/protocol.ts';
import { decide, validate, type DecisionTarget } from './submit-decision.ts';
import { setPhase } from '../job/state.ts';

export interface Listener {
  status(): PipelineStatus;
  /** undefined until there is a plan. */
  deciding(): DecisionTarget | undefined;
  superseded(by: string): void;
  cancelled(by: Asker): void;
  downstream(news: DownstreamNews): void;
  followed(by: Follower): Promise<void>;
}

export function listen(to: Listener): void {
  setHandler(defineQuery<PipelineStatus>(QUERIES.status), () => to.status());
  for (const action of Object.keys(UPDATES) as UpdateName[])
    setHandler(
      defineUpdate<DecisionAnswer, [Decision]>(UPDATES[action]),
      (decision) => decide(to.deciding(), { ...decision, action }),
      { validator: (decision) => validate(to.deciding(), action, decision) },
    );
  setHandler(defineSignal<[ApproveSignal]>(SIGNALS.approve), (approve) => {
    decide(to.deciding(), {
      action: 'play',
      job: approve.job,
      comment: approve.comment,
      ...(approve.confirm !== undefined && { confirm: approve.confirm }),
      actor: 'temporal',
      role: 'temporal',
    });
  });
  setHandler(defineSignal<[Decision]>(SIGNALS.decide), (decision) => {
    decide(to.deciding(), decision);
  });
  setHandler(defineSignal<[LockGrant]>(SIGNALS.lockGranted), (grant) =>
    to.deciding()?.run.locks.granted(grant),
  );
  setHandler(defineSignal<[JobStarted]>(SIGNALS.jobStarted), (started) => jobStarted(to.deciding(), started));
  setHandler(defineSignal<[Asker]>(SIGNALS.cancel), (by) => to.cancelled(by));
  setHandler(defineSignal<[DownstreamNews]>(SIGNALS.downstream), (news) => to.downstream(news));
  setHandler(defineSignal<[Follower]>(SIGNALS.follow), (by) => to.followed(by));
  setHandler(defineSignal<[Superseded]>(SIGNALS.superseded), ({ by }) => to.superseded(by));
}

/** A worker says that the job runs. News of an attempt that is over, or of a lower epoch, is no news. */
function jobStarted(deciding: DecisionTarget | undefined, started: JobStarted): void {
  const job = deciding?.run.jobs.find((other) => other.spec.key === started.ref.job);
  if (!deciding || !job) return;
  const { attempt, epoch, phase } = job.status;
  if (started.ref.attempt !== attempt || started.ref.epoch < epoch || phase !== 'dispatched') return;
  job.host = started.host;
  job.startedAt ??= Date.now();
  deciding.run.queueWatch.gone(job);
  setPhase(deciding.run, job, { phase: 'running' });
}
