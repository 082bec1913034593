import type { KnownProject } from '../model/records.ts';

const DEFAULT_BRANCH = 'main';

/** That of the installation file, else that of the forge; `guess`: what a request says. */
export const defaultBranchOf = (
  { default_branch }: { default_branch?: string | undefined },
  known: Pick<KnownProject, 'defaultBranch'>,
  guess?: string,
): string => default_branch ?? known.defaultBranch ?? guess ?? DEFAULT_BRANCH;
