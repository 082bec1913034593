/** Credentials that workers fetch: for a job's script, for davit's own work for it, and for a target. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { FORKS } from '../../match/image-permission.ts';
import { registryActions, type RegistryRules, writeRefusal } from '../../match/registry-access.ts';
import { parsePipelineId } from '../../plan/model/ids.ts';
import type { AttemptRules } from '../attempts/attempt-rules.ts';
import type { ServerDeps } from '../deps.ts';

/** What a job's credential outlives its timeout by: services, artifacts, a host that is away for a while. */
const MARGIN_MS = 60 * 60_000;
const MAX_MS = 30 * 24 * 60 * 60_000;

export function internalCredentialRoutes(app: FastifyInstance, deps: ServerDeps, rules: AttemptRules): void {
  const config = { access: 'attempt' } as const;
  const registryRules = (): RegistryRules => ({
    host: deps.ownRegistry?.host ?? '',
    projects: deps.facts().config.projects,
  });
  app.post(`${INTERNAL}/credentials/job`, { config }, async ({ body, attempt: claims }) => {
    const asked = BODIES.jobCredential.parse(body);
    const { attempt, writes, forMs } = asked;
    if (parsePipelineId(attempt.pipeline)?.slug !== asked.job.project)
      throw new DavitError('auth/denied', `${attempt.pipeline} is no pipeline of ${asked.job.project}.`);
    if (claims) rules.jobCredential(claims, asked);
    // A machine with a token of its own does not speak for the operator.
    const job = claims && claims.worker !== '' ? { ...asked.job, local: undefined } : asked.job;
    const known = registryRules();
    for (const repository of writes ?? []) {
      const refusal = writeRefusal(job, repository, known);
      if (refusal !== undefined) throw new DavitError('auth/denied', refusal);
    }
    return { token: deps.credentials.forJob({ job, attempt, writes }, Math.min(forMs + MARGIN_MS, MAX_MS)) };
  });
  app.post(`${INTERNAL}/credentials/target`, { config }, async ({ body, attempt }) => {
    const of = BODIES.targetCredential.parse(body);
    if (attempt) rules.targetCredential(attempt, of);
    const job = attempt && {
      project: attempt.project,
      protectedRef: attempt.protectedRef,
      fork: attempt.fork,
    };
    if (job && !registryActions({ kind: 'job', job }, of.repository, registryRules()).has('pull'))
      throw new DavitError('auth/denied', `A job of ${job.project} deploys no image of ${of.repository}.`);
    return { token: deps.credentials.forTarget(await deps.deployTokens.current(of)) };
  });
  const ofWorker = { config: { access: 'worker' } } as const;
  app.post(`${INTERNAL}/credentials/pull`, ofWorker, async ({ body, worker }) => {
    const { repository } = BODIES.pullCredential.parse(body);
    const [owner = ''] = repository.split('/');
    const isProjects = deps.facts().config.projects.some(({ name }) => name === owner);
    if (worker?.machine && (isProjects || owner === FORKS))
      throw new DavitError(
        'worker/scope',
        `The worker ${worker.machine.name} pulls ${repository} for jobs only.`,
      );
    return { token: deps.credentials.forPull(repository) };
  });
}
