/** Tokens of attempts, and the seal for what an attempt keeps in the store. */
import type { FastifyInstance } from 'fastify';
import { BODIES, BYTES_TYPE, INTERNAL } from '../../adapters/http/wire.ts';
import { DavitError } from '../../errors.ts';
import { mintAttempt } from '../attempts/mint.ts';
import type { AttemptClaims } from '../attempts/attempt-token.ts';
import type { OpenAttempts } from '../attempts/open-attempts.ts';
import { streamOf } from '../body-limit.ts';
import type { ServerDeps } from '../deps.ts';
import type { Views } from '../views.ts';

/** More than the values to mask of any job, or the description of a service. */
const MAX_SEALED = 16 * 1_024 * 1_024;

export function internalAttemptRoutes(
  app: FastifyInstance,
  deps: ServerDeps,
  of: { views: Views; open: OpenAttempts },
): void {
  app.post(`${INTERNAL}/attempts`, { config: { access: 'worker' } }, async ({ body, worker }) => {
    if (!worker) throw new DavitError('internal/defect', 'A route for workers was called without one.');
    const { ref, activity, run, identity, former } = BODIES.attempt.parse(body);
    return mintAttempt({ ...deps, ...of }, worker, {
      ...{ ref, activity, run, identity },
      ...(former !== undefined && { former }),
    });
  });
  const config = { access: 'sealed' } as const;
  for (const action of ['seal', 'unseal'] as const)
    app.post(`${INTERNAL}/${action}`, { config }, async ({ body, attempt }, reply) => {
      const bytes = await bytesOf(streamOf(body, { maxBytes: MAX_SEALED, idleMs: deps.limits.idleMs }));
      return reply.type(BYTES_TYPE).send(Buffer.from(deps.sealer[action](scopeOf(attempt), bytes)));
    });
}

/** Every dispatch of an attempt opens what another one has sealed; another attempt does not. */
function scopeOf(attempt: AttemptClaims | undefined): string {
  if (!attempt || attempt.kind === 'release')
    throw new DavitError('auth/denied', 'Only an attempt that runs or is stopped seals and opens.');
  const { pipeline, job, attempt: number } = attempt;
  return JSON.stringify([pipeline, job, number]);
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
