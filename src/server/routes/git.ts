/**
 * Repositories of projects for the scripts of jobs, read-only: CI_REPOSITORY_URL leads here, with CI_JOB_TOKEN as the
 * password. The forge's token stays with the server.
 *
 * A job reads the repository of its own project, and of those that name its project under `git_to`; a fork reads only
 * what is for all.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { InstallationProject } from '../../installation.ts';
import type { JobAsker } from '../../match/registry-access.ts';
import { cloneAuth } from '../../utils/clone-auth.ts';
import { basicPassword } from '../auth.ts';
import { streamOf } from '../body-limit.ts';
import type { ServerDeps } from '../deps.ts';

const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
const REQUEST_TYPE = 'application/x-git-upload-pack-request';
const header = z.string().max(200).optional();
const gitHeaders = z.object({ 'git-protocol': header, 'content-encoding': z.literal('gzip').optional() });
const gitParams = z.object({ name: z.string().max(200) });
const refsQuery = z.object({ service: z.string().optional() });

export function gitRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const config = { access: 'credential' } as const;
  app.addContentTypeParser(REQUEST_TYPE, (_request, payload, done) => done(null, payload));
  app.get('/git/:name/info/refs', { config }, async (request, reply) => {
    const project = await readable(deps, request, reply);
    if (!project) return reply;
    if (refsQuery.parse(request.query).service !== 'git-upload-pack')
      throw new DavitError('auth/denied', 'Repositories can only be read here.');
    const { type, body } = await deps.uploadPack.refs(await asked(deps, project, request));
    return reply.type(type).send(body);
  });
  app.post('/git/:name/git-upload-pack', { config, bodyLimit: MAX_REQUEST_BYTES }, async (request, reply) => {
    const project = await readable(deps, request, reply);
    if (!project) return reply;
    if (!(request.body instanceof Readable)) throw new DavitError('usage/invalid', 'Not a request of git.');
    const { idleMs } = deps.limits;
    const sent = streamOf(request.body, { maxBytes: MAX_REQUEST_BYTES, idleMs });
    const { type, body } = await deps.uploadPack.pack({
      ...(await asked(deps, project, request)),
      body: sent,
    });
    return reply.type(type).send(body);
  });
}

/** Undefined after git was asked for a password, which it does not send by itself. Rejects for a job that may not. */
async function readable(
  { credentials, facts }: ServerDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<(InstallationProject & { clone_url: string }) | undefined> {
  const password = basicPassword(request.headers.authorization);
  const credential = password === undefined ? undefined : await credentials.job(password);
  if (!credential) {
    if (!request.raw.complete) void reply.header('connection', 'close'); // its body is not read
    void reply
      .code(401)
      .header('www-authenticate', 'Basic realm="davit"')
      .type('text/plain; charset=utf-8')
      .send('The repository needs CI_JOB_TOKEN of a running job as the password.\n');
    return undefined;
  }
  request.job = credential;
  const name = gitParams.parse(request.params).name.replace(/\.git$/, '');
  const project = facts().config.projects.find((one) => one.name === name);
  // One answer for what there is not and what is not for this job.
  if (!project?.clone_url || !/^https?:/.test(project.clone_url) || !mayRead(credential.job, project))
    throw new DavitError('auth/denied', `The job has no access to the repository of ${name}.`);
  return { ...project, clone_url: project.clone_url };
}

function mayRead({ project, fork }: JobAsker, { name, git_to }: InstallationProject): boolean {
  return git_to.includes('*') || (!fork && (name === project || git_to.includes(project)));
}

async function asked(
  { secrets }: Pick<ServerDeps, 'secrets'>,
  project: InstallationProject & { clone_url: string },
  request: FastifyRequest,
) {
  const headers = gitHeaders.parse(request.headers);
  return {
    url: project.clone_url,
    auth: await cloneAuth(project, secrets),
    caFile: project.forge_ca_file,
    protocol: headers['git-protocol'],
    encoding: headers['content-encoding'],
  };
}
