/** What the compiler needs to know before it assembles the file: file, project, installation, workers. */
import type { BlobStore, Fleet, Registries } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { CompileRequest } from '../../src/compiler/request.ts';
import type { KnownProject } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import { rootOf } from '../../src/match/image-permission.ts';
import { isProtectedRef } from '../../src/match/protected-refs.ts';
import { findFile, PIPELINE_FILES } from './pipeline-file.ts';
import type { FetchedSource } from './source.ts';
import { compileLimits, variablesOf } from '../../src/compiler/variables/installation.ts';
import type { CompileInput } from '../contract.ts';
import type { ProjectWithRefs } from '../runtime/protected-refs.ts';
import { defaultBranchOf } from '../../src/plan/policy/default-branch.ts';
import { readDownstream } from '../runtime/downstream-config.ts';

interface Deps {
  blobs: BlobStore;
  registries: Registries;
  fleet: Pick<Fleet, 'live'>;
  facts: InstallationFacts;
}

interface SourceAndProject {
  project: ProjectWithRefs;
  known: KnownProject;
  openMergeRequests: readonly string[] | undefined;
  fetched: FetchedSource;
  protectedRef: boolean;
}

/** Rejects with `source/no-file`. */
export async function requestOf(
  deps: Deps,
  input: CompileInput,
  { project, known, openMergeRequests, fetched, protectedRef }: SourceAndProject,
): Promise<CompileRequest> {
  const { facts } = deps;
  const { trigger } = input;
  const names = trigger.file === undefined ? PIPELINE_FILES : [trigger.file];
  const given = trigger.upstream && (await readDownstream(deps.blobs, trigger.upstream.config));
  const file = given?.file ?? (await findFile(() => deps.blobs.getStream(fetched.source), names));
  if (!file) throw new DavitError('source/no-file', `The source has no ${names.join(' and no ')}.`);
  const fleet = await deps.fleet.live();
  const registry = (await deps.registries.default()).host;
  const paths = facts.config.registries.find(({ host }) => host === registry)?.paths;
  return {
    file,
    trigger,
    iid: input.iid,
    number: input.number,
    project: {
      ...projectFacts(project, { known, trigger, protectedRef }),
      imageRoot: rootOf({ paths }, project),
    },
    instanceVariables: variablesOf(facts.config.variables),
    registry,
    helperImage: facts.config.helper_image,
    defaultImage: facts.config.default_image,
    defaultArch: facts.config.default_arch,
    fleet,
    targets: targetsOf(facts, fleet),
    gitlabTemplates: facts.config.includes.templates !== undefined,
    serverUrl: facts.url,
    openMergeRequests,
    limits: compileLimits(facts.config.limits),
    ...fetched,
    ...(given && { forwarded: given.variables, included: given.included }),
  };
}

const projectFacts = (
  project: ProjectWithRefs,
  { known, trigger, protectedRef }: { known: KnownProject; trigger: Trigger; protectedRef: boolean },
): CompileRequest['project'] => ({
  slug: project.name,
  defaultBranch: defaultBranchOf(project, known, trigger.defaultBranch),
  protectedRef,
  variables: variablesOf(project.variables),
  // A working tree says by its remote what it is.
  path: project.repository ?? (trigger.origin ? undefined : known.path),
  url: pageOf(project) ?? known.url,
  gitlabApi: gitlabApi(project),
  cloneUrl: project.clone_url,
  pushTo: project.push_to,
  isProtected: (branch) => isProtectedRef(project, 'branch', branch),
});

/** The architectures of the installation file; if it lists none, those that workers were started for. */
function targetsOf(facts: InstallationFacts, fleet: readonly WorkerReport[]): string[] {
  const named = facts.config.targets.map((target) => target.name);
  return named.length > 0 ? named : [...new Set(fleet.flatMap((worker) => worker.targets))];
}

const gitlabApi = ({ forge, forge_url }: InstallationProject): string | undefined =>
  forge === 'gitlab' && forge_url ? `${forge_url.replace(/\/+$/, '')}/api` : undefined;

/** The project's page at the forge, for CI_PROJECT_URL. */
function pageOf(project: InstallationProject): string | undefined {
  if (!project.forge_url || !project.repository || !URL.canParse(project.forge_url)) return undefined;
  return new URL(project.repository, `${project.forge_url.replace(/\/+$/, '')}/`).href;
}
