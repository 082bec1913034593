/** Artifacts of a job, as the archive that its worker made. Never shown, always saved: an artifact may be a page with a script. */
import type { FastifyInstance } from 'fastify';
import type { ServerDeps } from '../deps.ts';
import type { Views } from '../views.ts';
import { jobOf, missing, pipelineOf } from './params.ts';

export function artifactRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  app.get(
    '/api/v1/pipelines/:slug/:iid/artifacts',
    { config: { access: 'reader' } },
    async ({ params, query }, reply) => {
      const id = pipelineOf(params);
      const key = jobOf(query);
      const job = (await views.status(id)).jobs.find((one) => one.key === key);
      if (!job) throw missing(`job ${key} in ${id}`);
      const artifact = job.result?.artifacts;
      if (!artifact) throw missing(`artifact of ${key} in ${id}`);
      const stream = await deps.blobs.getStream(artifact.digest);
      const name = `${id.replace('/', '-')}-${key.replace(/[^A-Za-z0-9._-]+/g, '-')}.tar.gz`;
      return reply
        .header('content-disposition', `attachment; filename="${name}"`)
        .type('application/gzip')
        .send(stream);
    },
  );
}
