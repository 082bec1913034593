/** The projects of the installation file; each story has its own repository of the same name at Gitea. */

/** By name; values are added to what every project has. */
export const PROJECTS: Record<string, Record<string, unknown>> = {
  pushes: {},
  pulls: {},
  asked: {},
  agit: { fork_pipelines: 'run' },
  shop: { fork_pipelines: 'run' },
  images: { fork_pipelines: 'run' },
  tags: { protected_tags: ['stable-*'] },
  library: {},
  parent: {},
  releases: {},
  packages: { push_to: ['*/acme/packages/*'] },
  renamed: {},
  away: {},
  again: {},
  odd: {},
  checks: {},
  pending: {},
  gates: {},
  silent: {},
  forked: { fork_pipelines: 'run' },
  trunk: {},
  placed: {},
  open: {},
};
