/** Credentials that workers fetch: for a job's script, for davit's own work for it, and for a target. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { FORKS } from '../../match/image-permission.ts';
import { outOfScope } from '../../match/worker-scope.ts';
import { writeRefusal } from '../../match/registry-access.ts';
import { parsePipelineId } from '../../plan/model/ids.ts';
import type { ServerDeps } from '../deps.ts';
import type { Machine } from '../machine-rules.ts';

/** What a job's credential outlives its timeout by: services, artifacts, a host that is away for a while. */
const MARGIN_MS = 60 * 60_000;
const MAX_MS = 30 * 24 * 60 * 60_000;

export function internalCredentialRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.post(`${INTERNAL}/credentials/job`, { config }, async ({ body, machine }) => {
    const { job: asked, attempt, writes, forMs } = BODIES.jobCredential.parse(body);
    if (parsePipelineId(attempt.pipeline)?.slug !== asked.project)
      throw new DavitError('auth/denied', `${attempt.pipeline} is no pipeline of ${asked.project}.`);
    refuseOutside(machine, asked);
    // A machine with limits of its own does not speak for the operator.
    const job = machine ? { ...asked, local: undefined } : asked;
    const rules = { host: deps.ownRegistry?.host ?? '', projects: deps.facts().config.projects };
    for (const repository of writes ?? []) {
      const refusal = writeRefusal(job, repository, rules);
      if (refusal !== undefined) throw new DavitError('auth/denied', refusal);
    }
    return { token: deps.credentials.forJob({ job, attempt, writes }, Math.min(forMs + MARGIN_MS, MAX_MS)) };
  });
  app.post(`${INTERNAL}/credentials/target`, { config }, async ({ body, machine }) => {
    const of = BODIES.targetCredential.parse(body);
    refuseOutside(machine, { project: of.project, protectedRef: true, fork: false });
    return { token: deps.credentials.forTarget(await deps.deployTokens.current(of)) };
  });
  app.post(`${INTERNAL}/credentials/pull`, { config }, async ({ body, machine }) => {
    const { repository } = BODIES.pullCredential.parse(body);
    const [owner = ''] = repository.split('/');
    const isProjects = deps.facts().config.projects.some(({ name }) => name === owner);
    if (machine && (isProjects || owner === FORKS))
      throw new DavitError('worker/scope', `The worker ${machine.name} pulls ${repository} for jobs only.`);
    return { token: deps.credentials.forPull(repository) };
  });
}

function refuseOutside(
  machine: Machine | undefined,
  job: { project: string; protectedRef: boolean; fork: boolean },
): void {
  const why = machine && outOfScope(job, machine);
  if (machine && why !== undefined)
    throw new DavitError('worker/scope', `The worker ${machine.name} is refused: ${why}`);
}
