/** Whether commit statuses reach the forges of the projects. */
import { statusRight } from '../../adapters/forge/index.ts';
import { readingSecrets } from '../../adapters/secrets/index.ts';
import { readEnvSecret, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { InstallationProject } from '../../installation.ts';
import { tellsForge } from '../../plan/policy/commit-status.ts';
import type { CommitStatuses } from '../../server/api.ts';
import { messageOf } from '../../utils/message.ts';
import { readInstallation } from '../setup/installation.ts';
import { finding, ok, warn, type Finding } from './check.ts';

/** Asks each forge whether its token may write statuses. Writes none, and never rejects. */
export async function checkStatusRights(settings: Settings): Promise<Finding[]> {
  return finding('commit statuses', async () => {
    const { installation } = await readInstallation(settings);
    return rightFindings(installation.projects, statusRight({ secrets: readingSecrets(readEnvSecret) }));
  });
}

export async function rightFindings(
  projects: readonly InstallationProject[],
  may: ReturnType<typeof statusRight>,
): Promise<Finding[]> {
  return Promise.all(
    projects.filter(tellsForge).map(async (project): Promise<Finding> => {
      const name = `forge_token of ${project.name}`;
      try {
        await may(project);
        return ok(name, 'may write commit statuses');
      } catch (error) {
        const code = error instanceof DavitError ? error.code : 'internal/defect';
        const remedy =
          (error instanceof DavitError && error.hint) || 'Check forge_url, repository and forge_token.';
        return { ...warn(name, `No commit status can be written: ${messageOf(error)}`, remedy), code };
      }
    }),
  );
}

/** Pure. */
export function statusFindings(all: readonly CommitStatuses[], now: number): Finding[] {
  return all.map(({ project, contexts, legacy, problem }) => {
    const name = `commit statuses of ${project}`;
    if (problem) {
      const since = Math.max(1, Math.round((now - problem.since) / 60_000));
      const found = `Not told since ${problem.pipeline}, ${since} min ago: ${problem.reason}`;
      return {
        ...warn(name, found, 'davit tries again. Check forge_url, repository and forge_token.'),
        code: problem.code,
      };
    }
    const told = contexts.join(', ');
    if (legacy === undefined) return ok(name, told);
    return warn(
      name,
      `${told}; all of them also as ${legacy} (status_context: legacy), which the pipeline of a branch sets for a merge request too.`,
      `Let required checks at the forge name ${contexts.at(-1) ?? ''} instead of ${legacy}, then remove legacy.`,
    );
  });
}
