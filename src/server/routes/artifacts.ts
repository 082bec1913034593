/**
 * Artifacts of a job, as the archive of its worker. Always a download, because an artifact may be a page with
 * a script.
 */
import type { FastifyInstance } from 'fastify';
import { DavitError } from '../../errors.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { ArtifactRef } from '../../plan/model/outcome.ts';
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
      const artifact = reportsOf(query) ? job.result?.reports : job.result?.artifacts;
      if (!artifact) throw missing(`The job ${key} of ${id} has no such artifact.`);
      if (request.job) checkJob(deps, request.job, { id, artifact });
      else checkAccess(userOf(request), artifact);
      const stream = await deps.blobs.getStream(artifact.digest);
      const name = `${id.replace('/', '-')}-${key.replace(/[^A-Za-z0-9._-]+/g, '-')}.tar.gz`;
      return reply
        .header('content-disposition', `attachment; filename="${name}"`)
        .type('application/gzip')
        .send(stream);
    },
  );
}

/** Checks `artifacts:access` of the job. */
function checkAccess({ name, role }: User, { access }: ArtifactRef): void {
  if (access === undefined || (access !== 'nobody' && mayAs(role, access))) return;
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
