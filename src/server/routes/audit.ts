/** The audit trail for operators: what is stored, and entries as they are added. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AUDIT_KINDS, type AuditEntry, type AuditPage } from '../../plan/model/audit.ts';
import type { ServerDeps } from '../deps.ts';
import { eventStream } from '../events.ts';

const MAX_BEHIND = 1_000;

const query = z.object({
  since: z.iso.datetime().optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  kinds: z
    .string()
    .default(AUDIT_KINDS.join())
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(AUDIT_KINDS))),
});

export function auditRoutes(app: FastifyInstance, { audit }: ServerDeps): void {
  const operator = { config: { access: 'operator' } } as const;
  app.get('/api/v1/audit', operator, async (request): Promise<AuditPage> => {
    const entries = await audit.read(query.parse(request.query));
    return { entries, lost: audit.lost() };
  });
  app.get('/api/v1/audit/follow', operator, async (request, reply) => {
    const wanted = query.parse(request.query);
    // Watched before the stored ones are read, so that none is missed in between.
    const fresh: AuditEntry[] = [];
    let ring = Promise.withResolvers<void>();
    const stop = audit.watch((entry) => {
      if (wanted.kinds.includes(entry.kind)) fresh.push(entry);
      ring.resolve();
    });
    try {
      const stored = wanted.since === undefined ? [] : await audit.read(wanted);
      const events = eventStream(reply);
      events.gone.addEventListener('abort', () => ring.resolve(), { once: true });
      const sent = new Set(stored.map((entry) => JSON.stringify(entry)));
      for (const entry of stored) await events.send('entry', entry);
      while (!events.gone.aborted) {
        ring = Promise.withResolvers();
        // A reader that is too slow connects again, from the last entry that it has.
        if (fresh.length > MAX_BEHIND) return events.end();
        for (const entry of fresh.splice(0))
          if (!sent.delete(JSON.stringify(entry))) await events.send('entry', entry);
        await ring.promise;
      }
    } catch (error) {
      // The reader is gone, or the trail cannot be read before the response has begun.
      if (!reply.raw.headersSent) throw error;
    } finally {
      stop();
    }
  });
}
