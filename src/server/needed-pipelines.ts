/** Ended pipelines whose jobs davit itself starts again: their sources and images stay, whatever their age. */
import type { PipelineId, ProjectSlug } from '../plan/model/ids.ts';
import type { ServerDeps } from './deps.ts';

/** Every name of a pipeline's record. */
const ALL = Number.MAX_SAFE_INTEGER;

/** Pipelines whose job stops an environment that is there: it runs when the environment is stopped, months later too. */
export async function stoppersOf(
  { workflows }: { workflows: Pick<ServerDeps['workflows'], 'project'> },
  project: ProjectSlug,
): Promise<PipelineId[]> {
  const { environments = [] } = (await workflows.project(project)) ?? {};
  return environments
    .filter(({ state, onStop }) => state !== 'stopped' && onStop !== undefined)
    .map(({ pipeline }) => pipeline);
}

/** Those of each project that has records. Rejects if one of them does not answer. */
export async function allStoppers(deps: {
  workflows: Pick<ServerDeps['workflows'], 'project'>;
  records: Pick<ServerDeps['records'], 'list'>;
}): Promise<PipelineId[]> {
  const names = await deps.records.list('pipelines', ALL);
  const projects = new Set(names.map((name) => name.split('/')[1] ?? ''));
  const found: PipelineId[] = [];
  for (const project of projects) found.push(...(await stoppersOf(deps, project)));
  return found;
}
