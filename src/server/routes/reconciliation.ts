/** When each project was last compared with its forge, and the result. */
import type { FastifyInstance } from 'fastify';
import { reconcileRecordName, type ReconcileRecord } from '../../plan/model/records.ts';
import type { Reconciliation } from '../api.ts';
import type { ServerDeps } from '../deps.ts';

export function reconciliationRoutes(app: FastifyInstance, deps: ServerDeps): void {
  app.get('/api/v1/reconciliation', { config: { access: 'reader' } }, async () => {
    const { projects, reconcile } = deps.facts().config;
    const compared = projects.filter((one) => one.reconcile && one.clone_url && one.forge !== 'none');
    return Promise.all(
      compared.map(async ({ name }): Promise<Reconciliation> => {
        const record = await deps.records.get<ReconcileRecord>(reconcileRecordName(name));
        return {
          project: name,
          at: record?.at || undefined,
          refs: Object.keys(record?.settled ?? {}).length,
          pending: Object.keys(record?.pending ?? {}),
          found: record?.found,
          problem: record?.problem,
          every: reconcile.every,
        };
      }),
    );
  });
}
