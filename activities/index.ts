/** All activities of davit, assembled from factories over ports. Workers pass real adapters. */
import type {
  BlobStore,
  Fleet,
  Forge,
  Includes,
  LogStore,
  PipelineLookup,
  PipelineStarter,
  Proofs,
  Prover,
  RecordStore,
  Registries,
  Rights,
  Secrets,
  Source,
  StatusWriters,
  TriggerLookup,
  WorkflowCancel,
  WorkflowLookup,
} from '../src/adapters/ports.ts';
import type { InstallationFacts } from '../src/installation-facts.ts';
import { makeCheckApproval } from './pipeline/check-approval.ts';
import { makeCheckProof } from './pipeline/check-proof.ts';
import { makeProveStop } from './pipeline/prove-stop.ts';
import { makeClaimPipeline } from './pipeline/claim-pipeline.ts';
import { makeCloseLog } from './pipeline/close-log.ts';
import {
  makeForgeHeadIs,
  makeIsClosed,
  makeReportCommitStatus,
  makeWriteCommitStatus,
} from './pipeline/commit-status.ts';
import { makeCompilePipeline } from './compile/compile-pipeline.ts';
import type { ControlActivities, DeployActivities } from './contract.ts';
import { makeApplyDeploy } from './deploy/apply.ts';
import { makeCreateRelease } from './pipeline/create-release.ts';
import type { DeployDeps } from './deploy/common.ts';
import { makeRollbackDeploy } from './deploy/rollback.ts';
import { makeWatchDeploy } from './deploy/watch.ts';
import { makeFindArtifacts } from './pipeline/find-artifacts.ts';
import { makeFindMirrored } from './downstream/find-mirrored.ts';
import { makeLookDownstream } from './downstream/look-downstream.ts';
import { makePublishPages } from './pipeline/publish-pages.ts';
import { makePushImage } from './image/push-image.ts';
import {
  latestRecord,
  makeFindRecord,
  makeLoadRecord,
  makeRecordPipeline,
} from './pipeline/record-pipeline.ts';
import { heartbeating } from './runtime/heartbeat.ts';
import { makeStartDownstream } from './downstream/start-downstream.ts';
import { coded } from './runtime/failures.ts';
import { perAttempt } from './runtime/per-attempt.ts';

export type { DeployDeps } from './deploy/common.ts';
export { makeBuildImage, type BuildDeps } from './image/build-image.ts';

export interface ControlDeps {
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  fleet: Pick<Fleet, 'live'>;
  rights: Rights;
  secrets: Secrets;
  registries: Registries;
  source: Source;
  includes: Includes;
  forge: Forge;
  workflows: WorkflowLookup &
    WorkflowCancel &
    PipelineLookup &
    PipelineStarter &
    TriggerLookup &
    StatusWriters;
  facts: InstallationFacts;
  proofs: Proofs;
  prover: Prover;
  /** Epoch ms by the server's clock. */
  now(): number;
}

/** For the queue `control`. */
export function makeControlActivities(deps: ControlDeps): ControlActivities {
  const report = makeReportCommitStatus({ ...deps, writers: deps.workflows });
  return {
    claimPipeline: coded(makeClaimPipeline(deps)),
    forgeHeadIs: coded(makeForgeHeadIs(deps)),
    compilePipeline: coded(makeCompilePipeline({ ...deps, report })),
    pushImage: coded(makePushImage(deps)),
    findGiven: coded(makeFindArtifacts(deps)),
    startDownstream: coded(heartbeating(makeStartDownstream(deps))),
    findMirrored: coded(heartbeating(makeFindMirrored(deps))),
    lookDownstream: coded(heartbeating(makeLookDownstream(deps))),
    findDownstream: coded(heartbeating(({ project, key }) => deps.workflows.lookup(project, key))),
    closeLog: coded(makeCloseLog(deps)),
    recordPipeline: coded(makeRecordPipeline(deps)),
    loadRecord: coded(makeLoadRecord(deps)),
    findRecord: coded(makeFindRecord(deps)),
    createRelease: coded(heartbeating(makeCreateRelease(deps))),
    publishPages: coded(heartbeating(makePublishPages(deps))),
    reportCommitStatus: coded(report),
    writeCommitStatus: coded(
      makeWriteCommitStatus({ ...deps, recordOf: async (id) => (await latestRecord(deps, id))?.record }),
    ),
    checkApproval: coded(makeCheckApproval(deps)),
    checkProof: coded(makeCheckProof(deps)),
    proveStop: coded(makeProveStop(deps)),
    isClosed: coded(makeIsClosed(deps)),
    requestCancel: coded(({ workflowId, runId }) => deps.workflows.requestCancel(workflowId, runId)),
  };
}

/** For the queue `deploy-TARGET` of one target. */
export function makeDeployActivities(deps: DeployDeps): DeployActivities {
  return {
    applyDeploy: coded(perAttempt(deps, makeApplyDeploy)),
    watchDeploy: coded(perAttempt(deps, makeWatchDeploy)),
    rollbackDeploy: coded(perAttempt(deps, makeRollbackDeploy)),
  };
}
