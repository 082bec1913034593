/** Deploy tokens, for operators. What a token is, is shown to nobody. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { userOf } from '../access.ts';
import type { ServerDeps } from '../deps.ts';

const tokenParams = z.object({ id: z.string().max(64) });

export function deployTokenRoutes(app: FastifyInstance, { deployTokens }: ServerDeps): void {
  const config = { access: 'operator' } as const;
  app.get('/api/v1/deploy-tokens', { config }, async () => deployTokens.list());
  app.post('/api/v1/deploy-tokens/:id/revoke', { config }, async (request) =>
    deployTokens.revoke(tokenParams.parse(request.params).id, userOf(request).name),
  );
}
