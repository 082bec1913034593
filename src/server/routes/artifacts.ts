/**
 * Artifacts of a job, as the archive of its worker. Always a download, because an artifact may be a page with
 * a script.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { DavitError } from '../../errors.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { ArtifactRef } from '../../plan/model/outcome.ts';
import type { JobStatus } from '../../plan/model/protocol.ts';
import { userOf } from '../access.ts';
import { mayAs, type User } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import type { JobCredential } from '../registry/credentials.ts';
import type { Views } from '../views.ts';
import { jobOf, missing, pipelineOf, reportsOf } from './params.ts';

export function artifactRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  app.get(
    '/api/v1/pipelines/:slug/:iid/artifacts',
    { config: { access: 'reader', jobs: true } },
    async (request, reply) => {
      const { params, query } = request;
      const id = pipelineOf(params);
      const key = jobOf(query);
      const job = (await views.status(id)).jobs.find((one) => one.key === key);
      if (!job) throw missing(`${id} has no job ${key}.`);
      const caller = request.job ? { job: request.job } : { user: userOf(request) };
      return sendArtifact(deps, reply, { id, job, reports: reportsOf(query), caller });
    },
  );
}

/** `user` is absent for a visitor of a public project. */
type Caller = { user: User | undefined } | { job: JobCredential };

/** Rejects with `not-found` or `auth/denied`. */
export async function sendArtifact(
  deps: ServerDeps,
  reply: FastifyReply,
  of: { id: PipelineId; job: JobStatus; reports: boolean; caller: Caller },
): Promise<FastifyReply> {
  const { id, job, reports, caller } = of;
  const artifact = reports ? job.result?.reports : job.result?.artifacts;
  if (!artifact) throw missing(`The job ${job.key} of ${id} has no such artifact.`);
  if ('job' in caller) checkJob(deps, caller.job, { id, artifact });
  else checkAccess(caller.user, artifact);
  const stream = await deps.blobs.getStream(artifact.digest);
  const name = `${id.replace('/', '-')}-${job.key.replace(/[^A-Za-z0-9._-]+/g, '-')}.tar.gz`;
  return reply
    .header('content-disposition', `attachment; filename="${name}"`)
    .type('application/gzip')
    .send(stream);
}

/** Checks `artifacts:access` of the job. */
function checkAccess(user: User | undefined, { access }: ArtifactRef): void {
  if (access === undefined) return;
  if (!user) throw new DavitError('auth/missing', 'These artifacts need a token.');
  const { name, role } = user;
  if (access !== 'nobody' && mayAs(role, access)) return;
  const rule = access === 'nobody' ? 'the job allows no download' : `${access} is required`;
  throw new DavitError('auth/denied', `${name} has role ${role}; ${rule}.`);
}

/** As `needs:project`: of its own project, or of one that gives to it; a fork takes those of its own pipeline alone. */
function checkJob(
  { facts }: ServerDeps,
  { job, attempt }: JobCredential,
  { id, artifact }: { id: PipelineId; artifact: ArtifactRef },
): void {
  if (artifact.access === 'nobody') throw new DavitError('auth/denied', 'The job allows no download.');
  if (id === attempt.pipeline) return;
  const from = id.slice(0, id.lastIndexOf('/'));
  const gives = facts().config.projects.find(({ name }) => name === from)?.artifacts_to ?? [];
  const isGiven = from === job.project || gives.includes(job.project) || gives.includes('*');
  if (job.fork || !isGiven)
    throw new DavitError('auth/denied', `${from} does not give its artifacts to this job of ${job.project}.`);
}
