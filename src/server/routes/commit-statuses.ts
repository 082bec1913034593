/** How the commits of each project are told to its forge, and why they are not. */
import type { FastifyInstance } from 'fastify';
import type { StatusProblem } from '../../plan/model/commit-status.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import { statusProblemName } from '../../plan/model/records.ts';
import { contextsOf, tellsForge } from '../../plan/policy/commit-status.ts';
import type { CommitStatuses } from '../api.ts';
import type { ServerDeps } from '../deps.ts';

export function commitStatusRoutes(app: FastifyInstance, deps: ServerDeps): void {
  app.get('/api/v1/commit-statuses', { config: { access: 'reader' } }, async () => {
    const { projects, status_context: installation } = deps.facts().config;
    return Promise.all(
      projects.filter(tellsForge).map(async ({ name, status_context: project }): Promise<CommitStatuses> => {
        const contexts = (['push', 'tag', 'mr'] as const).map(
          (kind) => contextsOf({ installation, project }, { kind })[0] ?? '',
        );
        const legacy = project?.legacy ?? installation?.legacy;
        const problem = await problemOf(deps, name);
        return {
          project: name,
          contexts,
          ...(legacy !== undefined && { legacy }),
          ...(problem && { problem }),
        };
      }),
    );
  });
}

const problemOf = async ({ records }: Pick<ServerDeps, 'records'>, project: string) =>
  (await records.get<StatusProblem | null>(statusProblemName(project))) ?? undefined;

/** With a warning while the forge does not take the statuses of its project. */
export async function withStatusProblem(
  deps: Pick<ServerDeps, 'records'>,
  status: PipelineStatus,
): Promise<PipelineStatus> {
  const problem = status.source === 'cli' ? undefined : await problemOf(deps, status.project);
  if (!problem) return status;
  const warning = `The forge is not told about commits of ${status.project}: ${problem.reason}`;
  return { ...status, warnings: [...status.warnings, warning] };
}
