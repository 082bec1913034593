/** Tokens of workers, for operators: made, listed and revoked. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { isSlug } from '../../plan/model/ids.ts';
import { userOf } from '../access.ts';
import type { ListedWorkerToken, MadeWorkerToken, RevokedWorkerTokens } from '../api.ts';
import { tokenIdOf } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import { SHARED_TOKEN } from '../workers/worker-tokens.ts';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a name has letters, digits, ".", "_" and "-"');
const wanted = z.strictObject({
  name,
  control: z.boolean().default(false),
  forks: z.boolean().default(false),
  protected_only: z.boolean().default(false),
  projects: z.array(z.string().refine(isSlug, 'not a valid project name')).max(1_000).optional(),
  expiresInMs: z.number().int().min(1_000).optional(),
});
const which = z.strictObject({ name: z.string().min(1).max(256), id: z.string().max(64).optional() });

export function workerTokenRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const operator = { config: { access: 'operator' } } as const;
  app.get('/api/v1/worker-tokens', operator, async (): Promise<ListedWorkerToken[]> => listed(deps));
  app.post('/api/v1/worker-tokens', operator, async (request): Promise<MadeWorkerToken> => {
    const { control, projects, expiresInMs, ...token } = wanted.parse(request.body);
    if (control && (projects || token.forks || token.protected_only))
      throw new DavitError(
        'usage/invalid',
        'A control worker has no limits: it runs the workflows of every project.',
      );
    const made = {
      ...token,
      ...(projects && { projects }),
      ...(control && { control }),
      ...(expiresInMs !== undefined && { until: Date.now() + expiresInMs }),
    };
    return deps.workerTokens.create(made, userOf(request).name);
  });
  app.post('/api/v1/worker-tokens/revoke', operator, async (request): Promise<RevokedWorkerTokens> => {
    const { name: of, id } = which.parse(request.body);
    const revoked = await deps.workerTokens.revoke(of, id, userOf(request).name);
    if (revoked > 0) return { revoked };
    throw new DavitError(
      'not-found',
      `There is no token of a worker named ${of}${id === undefined ? '' : ` with the id ${id}`}.`,
      {
        hint: '`davit worker token list` shows them. Those under workers of the installation file are revoked there.',
      },
    );
  });
}

function listed({ workerTokens, tokens }: ServerDeps): ListedWorkerToken[] {
  const stored = workerTokens.list().map(({ token_sha256, ...one }): ListedWorkerToken => {
    const id = tokenIdOf(token_sha256);
    return { ...one, id, usedAt: tokens.usedAt(id) };
  });
  const shared = tokens.shared();
  return shared === undefined
    ? stored
    : [...stored, { name: SHARED_TOKEN, id: shared, usedAt: tokens.usedAt(shared) }];
}
