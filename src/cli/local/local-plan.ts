/** Compiles the pipeline of this folder locally, with the code of the control worker and without a server. */
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { HELPER_IMAGE, type Installation } from '../../installation.ts';
import { gitlabTemplates } from '../../installation-includes.ts';
import { localIncludes } from '../../worktree/includes.ts';
import { fileOfCommit, textOf } from '../../worktree/source-text.ts';
import { readInstallation } from '../../local/setup/installation.ts';
import { sourceFacts, type SourceFacts } from '../../worktree/changes.ts';
import {
  hasCommit,
  headFacts,
  pipelineFile,
  placeOf,
  type HeadFacts,
  type LocalProject,
} from '../../worktree/project.ts';
import { readRunFile } from '../../local/process/run-file.ts';
import { compile, type CompileResult } from '../../compiler/compile.ts';
import { remoteFiles } from '../../compiler/remote-exists.ts';
import { factsNeeded } from '../../compiler/changes-needed.ts';
import { loadIncludes, textsOf, type IncludeSource } from '../../compiler/includes.ts';
import type { CompileRequest } from '../../compiler/request.ts';
import { compileLimits, isProtected, projectOf, variablesOf } from '../../compiler/variables/installation.ts';
import type { Origin, Trigger } from '../../plan/model/trigger.ts';
import type { Cli } from '../cli.ts';
import { listWorkers, thisMachine } from './list-workers.ts';
import { childrenHere, type PlannedChild } from './child-pipelines.ts';
import { triggerOf } from './local-trigger.ts';
import { findNamedProject } from './project-name.ts';
import type { PlanOptions } from './plan-options.ts';

const REGISTRY = '127.0.0.1:5000';

export interface LocalPlan {
  project: LocalProject;
  file: { name: string; text: string };
  facts: HeadFacts;
  answer: CompileResult;
  children: PlannedChild[];
  /** davit runs on this machine: DAVIT_SERVER is not set. */
  here: boolean;
  /** Changed paths by comparison, if a rule needs them. */
  changed?: Record<string, string[]>;
  lastCommits?: Record<string, string>;
  /** The ref that does not exist here and was planned for anyway. */
  imagined?: string;
  /** The names of the project that the file asks for are those of the git remote. */
  origin?: Origin;
}

type LocalRequest = Pick<LocalPlan, 'project' | 'facts' | 'imagined'> & {
  request: CompileRequest;
  source: IncludeSource;
  ref?: string;
};

/**
 * The file with its includes, and everything its plan depends on except facts of git. Rejects as
 * `compileHere`.
 */
export async function requestHere(cli: Cli, options: PlanOptions): Promise<LocalRequest> {
  const place = options.file === undefined ? undefined : await placeOf(cli.cwd, options.file);
  const project = await findNamedProject(cli, place?.folder ?? cli.cwd, place?.file);
  const here = await factsHere(project, options);
  // A run of a commit uses the files of the commit; a plan for a ref uses the files of the working tree.
  const commit = options.imagine || here.ref === undefined ? undefined : here.facts.sha;
  const file =
    commit === undefined
      ? await fileHere(project, place?.file)
      : await fileOfCommit(project, commit, place?.file);
  const request = await requestOf(cli, {
    project,
    facts: here.facts,
    file,
    options: { ...options, file: place?.file },
  });
  const installation = await installationHere(cli, options);
  const { trigger, serverUrl } = request;
  const { changed, projectPaths } = options;
  const from = {
    settings: cli.settings,
    installation,
    serverUrl,
    trigger,
    ref: here.ref,
    commit,
    changed,
    projectPaths,
  };
  const source = localIncludes(project, from);
  const included = await loadIncludes(request, source);
  return { project, ...here, source, request: { ...request, ...included } };
}

/** The installation file of this machine, with what the command line asks for. */
async function installationHere(cli: Cli, { templates }: PlanOptions): Promise<Installation> {
  const { installation } = await readInstallation(cli.settings);
  const { includes } = installation;
  if (templates === undefined || includes.templates) return installation;
  return { ...installation, includes: { ...includes, templates: gitlabTemplates() } };
}

/** `ref` is the commit to use instead of the working tree; undefined if the working tree is used. */
async function factsHere(
  project: LocalProject,
  { ref, imagine }: PlanOptions,
): Promise<Pick<LocalRequest, 'facts' | 'imagined' | 'ref'>> {
  if (ref === undefined || !imagine || (await hasCommit(project, ref)))
    return { facts: await headFacts(project, ref), ref };
  return { facts: { ...(await headFacts(project)), ref }, imagined: ref };
}

/** Rejects with `source/…`, `git/…`, `cli/no-git`; problems of the file are in the result. */
export async function compileHere(cli: Cli, options: PlanOptions): Promise<LocalPlan> {
  const { project, facts: head, imagined, ref, source, request: whole } = await requestHere(cli, options);
  const known = await factsFor({ project, source, request: whole }, { ...options, ref });
  const compileOptions = { explain: options.explain, lint: options.lint };
  const answer = compile({ ...whole, ...known, ...compileOptions });
  const facts = (request: CompileRequest) => factsFor({ project, source, request }, { ...options, ref });
  const request = { ...whole, ...known };
  const children = options.children
    ? await childrenHere({ source, facts, options: compileOptions }, { request, answer })
    : [];
  const here = whole.trigger.here === true;
  const { changed, lastCommits } = known;
  const origin = whole.project.path === undefined && asksForNames(request) ? project.origin : undefined;
  const plan = { project, file: whole.file, facts: head, answer, children, here };
  return { ...plan, changed, lastCommits, imagined, origin };
}

/** Names of the project and its host, and `BRANCH@PROJECT` in `only`. */
const NAMES =
  /\bCI_(?:PROJECT_(?:NAME|PATH|URL|TITLE|ROOT_NAMESPACE)|SERVER_(?:FQDN|HOST|PORT|PROTOCOL|URL))|[\w/]@\w/;
const asksForNames = (request: CompileRequest): boolean => textsOf(request).some((text) => NAMES.test(text));

/** Calls git only if a condition of the file needs it; paths from the command line replace its result. */
async function factsFor(
  { project, source, request }: Pick<LocalRequest, 'project' | 'source' | 'request'>,
  { ref, changed, lint }: PlanOptions,
): Promise<SourceFacts & Pick<CompileRequest, 'elsewhere'>> {
  const asked = factsNeeded(request);
  const needed = { ...asked, files: asked.files || lint === true };
  const found = await remoteFiles((wants) => source.elsewhere(wants), needed.elsewhere ?? []);
  // The server may know a project that this machine does not: its result is left open.
  const elsewhere = Object.fromEntries(Object.entries(found).filter(([, files]) => files !== null));
  const facts = { ...(await sourceFacts(project, { needed, trigger: request.trigger, ref })), elsewhere };
  if (!changed) return facts;
  const names = [...new Set(['', ...needed.changed])];
  return { ...facts, changed: Object.fromEntries(names.map((name) => [name, changed])) };
}

async function fileHere(project: LocalProject, named?: string): Promise<{ name: string; text: string }> {
  const name = await pipelineFile(project, named);
  const text = await textOf(project, name);
  if (text === null)
    throw new DavitError('source/refused', `${join(project.folder, name)} cannot be read as UTF-8 text.`);
  return { name, text };
}

type RequestFacts = {
  project: LocalProject;
  facts: HeadFacts;
  file: { name: string; text: string };
  options: PlanOptions;
};

async function requestOf(cli: Cli, { project, facts, file, options }: RequestFacts): Promise<CompileRequest> {
  const installation = await installationHere(cli, options);
  const run = await readRunFile(cli.settings);
  const fleet = /\btags\b/.test(file.text) ? await listWorkers(cli) : undefined;
  const trigger: Trigger = {
    ...triggerOf(project, facts, options),
    // Lint is about every machine that the file may run on.
    ...(!options.lint && !cli.settings.serverUrl && { here: true }),
  };
  const written = projectOf({ config: installation }, trigger);
  return {
    file,
    trigger,
    iid: 1,
    number: 1,
    project: {
      slug: project.slug,
      defaultBranch: facts.defaultBranch,
      protectedRef: isProtected(written, trigger),
      variables: variablesOf(written.variables),
      path: written.repository,
    },
    instanceVariables: variablesOf(installation.variables),
    registry: run?.registry ?? installation.registries.find((one) => one.default)?.host ?? REGISTRY,
    helperImage: run?.helperImage ?? HELPER_IMAGE,
    defaultImage: installation.default_image,
    defaultArch: installation.default_arch,
    fleet: fleet ?? (options.lint ? [] : [thisMachine]),
    targets: installation.targets.map((target) => target.name),
    gitlabTemplates: installation.includes.templates !== undefined,
    serverUrl: run?.server ?? 'http://127.0.0.1:8420',
    limits: compileLimits(installation.limits),
    source: `sha256:${'0'.repeat(64)}`,
    commit: { author: facts.author, timestamp: facts.timestamp, message: facts.message },
  };
}
