/**
 * Proofs for what control workers decide by themselves: a pipeline that a job starts, a push whose delivery was lost, an
 * environment whose time has come. Each needs its reason: a control worker proves nothing of a person.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';
import type { Message } from '../../plan/model/message.ts';
import type { DecisionProof } from '../../plan/model/proof.ts';
import type { Decision, PipelineStatus } from '../../plan/model/protocol.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { ServerDeps } from '../deps.ts';
import { provenDecision } from '../proven-workflows.ts';
import { jsonOf, recordOf } from '../records.ts';
import type { Views } from '../views.ts';

export function internalProofRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  app.post(`${INTERNAL}/proofs`, { config: { access: 'control' } }, async ({ body }) => {
    const { message } = BODIES.proof.parse(body);
    return { proof: await prove(deps, views, message) };
  });
}

async function prove(deps: ServerDeps, views: Views, message: Message): Promise<DecisionProof> {
  if (message.kind === 'trigger') {
    if (!(await hasReason(deps, message.trigger))) refuse('No job and no lost push asks for this pipeline.');
    return { turn: 0, attempt: 0, ...deps.proofs.sign(message) };
  }
  if (message.kind !== 'decision') return refuse('Only the server proves this.');
  const { pipeline, decision } = message;
  if (!(await isDue(deps, pipeline, decision))) refuse('No environment is to be stopped by this job.');
  const status = await views.status(pipeline);
  if (!(await isWritten(deps, status, decision)))
    refuse('The pipeline file stops no environment by this job.');
  const { proof } = provenDecision(deps.proofs, pipeline, { decision, status });
  return proof ?? refuse('It has no proof.');
}

async function hasReason({ workflows, facts }: ServerDeps, trigger: Trigger): Promise<boolean> {
  if (trigger.upstream) {
    const known = await workflows.describe(trigger.upstream.pipeline);
    return (
      known?.open === true && known.pending.some(({ type, taken }) => type === 'startDownstream' && taken)
    );
  }
  const known = facts().config.projects.some(({ name }) => name === trigger.project);
  return trigger.reconciled !== undefined && trigger.role === undefined && !trigger.local && known;
}

async function isDue({ workflows }: ServerDeps, pipeline: PipelineId, decision: Decision): Promise<boolean> {
  const slug = parsePipelineId(pipeline)?.slug;
  const project = slug === undefined ? undefined : await workflows.project(slug);
  const { job, stops, action } = decision;
  return (
    (action === 'play' || action === 'retry') &&
    stops !== undefined &&
    (project?.environments ?? []).some(
      (one) =>
        one.pipeline === pipeline && one.onStop === job && one.since === stops && one.stopAt !== undefined,
    )
  );
}

const environment = z.object({ onStop: z.string().optional() });
const plan = z.object({ jobs: z.array(z.object({ key: z.string(), environment: environment.optional() })) });

/**
 * Whether the plan says the same. What the project knows it was told by messages that everybody can send who reaches
 * Temporal: without this, one of them would start any job with an operator's rights.
 */
async function isWritten(
  deps: Pick<ServerDeps, 'blobs' | 'records'>,
  status: Pick<PipelineStatus, 'id' | 'plan' | 'jobs'>,
  { job }: Decision,
): Promise<boolean> {
  // The status in a record of an earlier version has none.
  const digest = status.plan ?? (await recordOf(deps, status.id))?.plan;
  if (digest === undefined) return false;
  const { jobs } = plan.parse(await jsonOf(deps, digest));
  const begun = new Set(status.jobs.filter(({ attempt }) => attempt > 0).map(({ key }) => key));
  return jobs.some(({ key, environment: deployed }) => deployed?.onStop === job && begun.has(key));
}

function refuse(message: string): never {
  throw new DavitError('decision/unproven', message);
}
