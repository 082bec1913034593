/**
 * Variables of GitLab's runner that have no effect in davit. docs/language/variables.md has the same list.
 */
import type { Origin } from '../source-text.ts';
import type { Node } from '../yaml/nodes.ts';
import type { LintContext } from './lint-context.ts';

const ATTEMPTS = 'davit decides itself how often it retries a transfer';
const ZIPPED = 'davit has one compression format';

/** Name to reason. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  GIT_CLEAN_FLAGS: 'every job has a new workspace, with nothing to clean',
  GIT_FETCH_EXTRA_FLAGS: 'the source is fetched once for the pipeline, before any job',
  GIT_CLONE_EXTRA_FLAGS: 'the source is fetched once for the pipeline, before any job',
  GIT_CLONE_PATH: 'the project is always in /builds/PROJECT, which no other job shares',
  GIT_SUBMODULE_UPDATE_FLAGS: 'submodules are fetched once, before any job',
  GIT_SUBMODULE_FORCE_HTTPS: "ssh addresses of the project's own host become https in any case",
  GET_SOURCES_ATTEMPTS: ATTEMPTS,
  ARTIFACT_DOWNLOAD_ATTEMPTS: ATTEMPTS,
  RESTORE_CACHE_ATTEMPTS: ATTEMPTS,
  EXECUTOR_JOB_SECTION_ATTEMPTS: 'a job whose worker is lost continues in its container',
  TRANSFER_METER_FREQUENCY: 'davit shows no transfer meter',
  CACHE_COMPRESSION_LEVEL: ZIPPED,
  CACHE_COMPRESSION_FORMAT: ZIPPED,
  CACHE_REQUEST_TIMEOUT: 'a cache that does not arrive in time is left out',
  ARTIFACT_COMPRESSION_LEVEL: ZIPPED,
  RUNNER_GENERATE_ARTIFACTS_METADATA: 'davit writes no provenance beside artifacts',
  CI_DEBUG_SERVICES: "a service's log is shown when it does not respond",
  DOCKER_AUTH_CONFIG: 'images are pulled with the registries of the installation file',
  SECURE_FILES_DOWNLOAD_PATH: 'davit keeps no secure files; a project variable with `file: true` is one',
};
/** Families of names. */
const FAMILIES: readonly [RegExp, string][] = [
  [/^FF_[A-Z0-9_]+$/, "feature flags of GitLab's runner have no meaning in davit"],
  [/^KUBERNETES_[A-Z0-9_]+$/, 'davit runs jobs on Docker engines'],
];

export const withoutEffect = (name: string): string | undefined =>
  Object.hasOwn(WITHOUT_EFFECT, name)
    ? WITHOUT_EFFECT[name]
    : FAMILIES.find(([pattern]) => pattern.test(name))?.[1];

/** One warning for each reason in each file, at the first of its variables: such variables come in crowds. */
export function lintRunnerVariables({ file, jobs, problems }: LintContext): void {
  const seen = new Set<Node>();
  const found = new Map<string, { why: string; at: Origin; names: Set<string> }>();
  const maps = [file.variables, ...[...jobs.values()].map((job) => job.entries.get('variables')?.value)];
  for (const map of maps) {
    if (map?.kind !== 'map' || seen.has(map)) continue;
    seen.add(map);
    for (const [name, { at }] of map.entries) {
      const why = withoutEffect(name);
      if (why === undefined) continue;
      const key = `${at.source.name}\n${why}`;
      const same = found.get(key);
      if (!same) found.set(key, { why, at, names: new Set([name]) });
      else {
        same.names.add(name);
        if (at.offset < same.at.offset) same.at = at;
      }
    }
  }
  for (const { why, at, names } of found.values())
    problems.add('language/no-effect', `${namesText([...names])} no effect: ${why}`, {
      at,
      severity: 'warning',
    });
}

const MAX_SHOWN = 3;

function namesText(names: readonly string[]): string {
  const more = names.length - MAX_SHOWN;
  const shown = [...names.slice(0, MAX_SHOWN), ...(more > 0 ? [`${more} more`] : [])];
  if (shown.length === 1) return `${shown[0]} has`;
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)} have`;
}
