/**
 * The token service of davit's own registry (distribution/distribution, "Token Authentication Specification"): a client
 * that the registry has sent here shows its credential, and gets a token for what of its wishes it may do.
 *
 * Who: the token of a job (CI_REGISTRY_PASSWORD), a deploy token, or a user's token, as the password of any user name.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { imageNameText, parseImageName } from '../../match/image-name.ts';
import {
  mayList,
  REGISTRY_ACTIONS,
  registryActions,
  type RegistryRules,
  type RegistrySubject,
} from '../../match/registry-access.ts';
import { basicPassword } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import { TOKEN_PATH } from '../registry/token-path.ts';
import type { AccessEntry } from '../registry/token-signer.ts';

const MAX_SCOPES = 50;
const scopeText = z.string().max(2_048);
const tokenQuery = z.object({
  scope: z
    .union([scopeText, z.array(scopeText)])
    .optional()
    .transform((value = []) => [value].flat().flatMap((one) => one.split(' ').filter((part) => part !== '')))
    .refine((scopes) => scopes.length <= MAX_SCOPES, 'too many scopes'),
});

export function registryTokenRoutes(app: FastifyInstance, deps: ServerDeps): void {
  app.get(TOKEN_PATH, { config: { access: 'credential' } }, async (request) => {
    const known = await subjectOf(deps, request);
    if (!known)
      throw new DavitError(
        'auth/missing',
        'The registry needs the token of a job, of a target or of a user.',
      );
    const own = deps.ownRegistry;
    if (!own) throw new DavitError('not-found', 'This server gives out no tokens for a registry.');
    const rules = { host: own.host, projects: deps.facts().config.projects };
    const { scope } = tokenQuery.parse(request.query);
    const { token, expiresInS, issuedAt } = own.signer.sign(known.name, granted(known.subject, scope, rules));
    return { token, access_token: token, expires_in: expiresInS, issued_at: issuedAt.toISOString() };
  });
}

/** Says in the request who has asked, for the audit trail. */
async function subjectOf(
  { credentials, deployTokens, tokens }: ServerDeps,
  request: FastifyRequest,
): Promise<{ name: string; subject: RegistrySubject } | undefined> {
  const password = basicPassword(request.headers.authorization);
  if (password === undefined) return undefined;
  const job = await credentials.job(password);
  if (job) {
    request.job = job;
    const { pipeline, job: name, attempt } = job.attempt;
    return {
      name: `job ${pipeline} ${name}/${attempt}`,
      subject: { kind: 'job', job: job.job, writes: job.writes },
    };
  }
  const id = credentials.target(password);
  const repository = id === undefined ? undefined : await deployTokens.repositoryOf(id);
  request.deployToken = id;
  if (repository !== undefined)
    return { name: `deploy token ${id}`, subject: { kind: 'deploy', repository } };
  const pulled = credentials.pull(password);
  if (pulled !== undefined) return { name: 'worker', subject: { kind: 'deploy', repository: pulled } };
  const user = tokens.user(password);
  request.user = user;
  return user && { name: `user ${user.name}`, subject: { kind: 'user', role: user.role } };
}

/** What of the scopes the subject may do; a scope of which nothing is left is left out. */
export function granted(
  subject: RegistrySubject,
  scopes: readonly string[],
  rules: RegistryRules,
): AccessEntry[] {
  const entries: AccessEntry[] = [];
  for (const scope of scopes) {
    const [, type = '', name = '', asked = ''] = /^([a-z]+)(?:\([a-z]+\))?:(.+):([^:]*)$/.exec(scope) ?? [];
    if (type === 'registry' && name === 'catalog' && mayList(subject))
      entries.push({ type, name, actions: ['*'] });
    if (type !== 'repository' || !isRepository(name, rules.host)) continue;
    const allowed = registryActions(subject, name, rules);
    const wanted = new Set(asked.split(','));
    const actions = REGISTRY_ACTIONS.filter(
      (action) => allowed.has(action) && (wanted.has(action) || wanted.has('*')),
    );
    if (actions.length > 0) entries.push({ type, name, actions });
  }
  return entries;
}

/** A name that the registry reads as it stands here. */
function isRepository(name: string, host: string): boolean {
  try {
    return imageNameText(parseImageName(`${host}/${name}`)) === `${host}/${name}:latest`;
  } catch (error) {
    if (error instanceof DavitError) return false;
    throw error;
  }
}
