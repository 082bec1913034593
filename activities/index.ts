/** Every activity of davit, assembled from factories over ports. Workers hand in real adapters, tests hand in what they like. */
import type {
  BlobStore,
  Fleet,
  Forge,
  Includes,
  LogStore,
  PipelineLookup,
  PipelineStarter,
  RecordStore,
  Registries,
  Secrets,
  Source,
  TriggerLookup,
  WorkflowLookup,
} from '../src/adapters/ports.ts';
import type { InstallationFacts } from '../src/installation.ts';
import { makeClaimPipeline } from './claim-pipeline.ts';
import { makeCloseLog } from './close-log.ts';
import { makeForgeHeadIs, makeIsClosed, makeReportCommitStatus } from './commit-status.ts';
import { makeCompilePipeline } from './compile-pipeline.ts';
import type { ControlActivities, DeployActivities } from './contract.ts';
import { makeApplyDeploy } from './deploy-apply.ts';
import { makeCreateRelease } from './create-release.ts';
import type { DeployDeps } from './deploy-common.ts';
import { makeRollbackDeploy } from './deploy-rollback.ts';
import { makeWatchDeploy } from './deploy-watch.ts';
import { makeFindGiven } from './find-given.ts';
import { makeFindMirrored } from './find-mirrored.ts';
import { makeLookDownstream } from './look-downstream.ts';
import { makePublishPages } from './publish-pages.ts';
import { makePushImage } from './push-image.ts';
import { makeFindRecord, makeLoadRecord, makeRecordPipeline } from './record-pipeline.ts';
import { coded } from './ship/coded.ts';
import { beating } from './ship/life.ts';
import { makeStartDownstream } from './start-downstream.ts';

export type { DeployDeps } from './deploy-common.ts';
export { makeBuildImage, type BuildDeps } from './build-image.ts';

export interface ControlDeps {
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  fleet: Pick<Fleet, 'live'>;
  secrets: Secrets;
  registries: Registries;
  source: Source;
  includes: Includes;
  forge: Forge;
  workflows: WorkflowLookup & PipelineLookup & PipelineStarter & TriggerLookup;
  facts: InstallationFacts;
}

/** For the queue `control`. */
export function makeControlActivities(deps: ControlDeps): ControlActivities {
  return {
    claimPipeline: coded(makeClaimPipeline(deps)),
    forgeHeadIs: coded(makeForgeHeadIs(deps)),
    compilePipeline: coded(makeCompilePipeline(deps)),
    pushImage: coded(makePushImage(deps)),
    findGiven: coded(makeFindGiven(deps)),
    startDownstream: coded(beating(makeStartDownstream(deps))),
    findMirrored: coded(beating(makeFindMirrored(deps))),
    lookDownstream: coded(beating(makeLookDownstream(deps))),
    findDownstream: coded(beating(({ project, key }) => deps.workflows.lookup(project, key))),
    closeLog: coded(makeCloseLog(deps)),
    recordPipeline: coded(makeRecordPipeline(deps)),
    loadRecord: coded(makeLoadRecord(deps)),
    findRecord: coded(makeFindRecord(deps)),
    createRelease: coded(beating(makeCreateRelease(deps))),
    publishPages: coded(beating(makePublishPages(deps))),
    reportCommitStatus: coded(makeReportCommitStatus(deps)),
    isClosed: coded(makeIsClosed(deps)),
  };
}

/** For the queue `deploy-TARGET` of one target. */
export function makeDeployActivities(deps: DeployDeps): DeployActivities {
  return {
    applyDeploy: coded(makeApplyDeploy(deps)),
    watchDeploy: coded(makeWatchDeploy(deps)),
    rollbackDeploy: coded(makeRollbackDeploy(deps)),
  };
}
