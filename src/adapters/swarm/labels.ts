/** Labels of a deployment on a service and on each of its tasks. Pure. */
import { parsePipelineId, pipelineId, type PipelineId } from '../../plan/model/ids.ts';

type Labels = Record<string, string>;

export const DEPLOY_ID = 'davit.deploy.id';
export const DEPLOY_SEQ = 'davit.deploy.seq';
/** Ids and numbers belong to one installation: another one, or one that was set up again, counts from 1. */
export const DEPLOY_INSTALLATION = 'davit.deploy.installation';

export interface DeployLabels {
  deployId: string;
  seq: number;
  installation?: string;
}

export const stampLabels = (stamp: DeployLabels): Labels => ({
  [DEPLOY_ID]: stamp.deployId,
  [DEPLOY_SEQ]: String(stamp.seq),
  ...(stamp.installation === undefined ? {} : { [DEPLOY_INSTALLATION]: stamp.installation }),
});

/** Names of the variables that the last deployment set, so that those of an operator are told from them. */
export const DEPLOY_ENV = 'davit.deploy.env';

/** `PROJECT/IID` of the pipeline that deployed last. */
export const DEPLOY_PIPELINE = 'davit.deploy.pipeline';

export const ownerOf = (labels: Labels | undefined): string | undefined =>
  /^(.+)\/\d+$/.exec(labels?.[DEPLOY_PIPELINE] ?? '')?.[1];

/** Undefined if davit did not write it. */
export function pipelineOf(labels: Labels | undefined): PipelineId | undefined {
  const known = parsePipelineId(labels?.[DEPLOY_PIPELINE] ?? '');
  return known && pipelineId(known.slug, known.iid);
}

/** True if another installation set them. */
export const isForeignStamp = (labels: Labels, installation: string | undefined): boolean =>
  installation !== undefined &&
  labels[DEPLOY_ID] !== undefined &&
  labels[DEPLOY_INSTALLATION] !== installation;

/** Labels without those of another installation's deployment, which mean nothing to this one. */
export function ownLabels(labels: Labels, installation: string | undefined): Labels {
  if (!isForeignStamp(labels, installation)) return labels;
  const { [DEPLOY_ID]: _id, [DEPLOY_SEQ]: _seq, [DEPLOY_INSTALLATION]: _installation, ...rest } = labels;
  return rest;
}
