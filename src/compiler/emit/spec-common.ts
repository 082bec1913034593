import type {
  ArtifactsSpec,
  CommonSpec,
  ImageSpec,
  ServiceSpec,
  SpecVariable,
} from '../../plan/model/spec.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import { serviceAliases } from '../../plan/policy/service-aliases.ts';
import { REPORTS } from '../schema/keywords/artifacts.ts';
import { pathProblem } from '../schema/keywords/common.ts';
import type { JobValues } from '../schema/keyword-table.ts';
import { isLocalOperator } from '../variables/installation.ts';
import { projectDir } from '../variables/predefined.ts';
import type { Scope } from '../variables/scope.ts';
import { isUnknownHere } from '../variables/unknown-here.ts';
import { yamlLayer } from '../variables/layers.ts';
import { itemNodes, ruleKey } from '../yaml/rule-nodes.ts';
import type { CompileRequest } from '../request.ts';
import type { Environment, PlanContext } from './context.ts';
import { publishedFolder } from './spec-pages.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';

/** The common parts of every JobSpec. */
export function commonSpec(draft: Draft, context: PlanContext): CommonSpec {
  const { request } = context;
  const artifacts = artifactsSpec(draft, context);
  const { environment } = context.prepared(draft);
  return {
    version: 1,
    key: draft.key,
    group: draft.group,
    stage: draft.stage,
    project: request.project.slug,
    ref: request.trigger.ref,
    sha: request.trigger.sha,
    protectedRef: request.project.protectedRef,
    fork: request.trigger.fork,
    ...(isLocalOperator(request.trigger) && { local: true }),
    source: request.source,
    projectDir: projectDir(request),
    variables: context.scope(draft).all(),
    ...(draft.arch && { arch: draft.arch }),
    timeoutMs: context.timeoutMs(draft),
    ...(artifacts && { artifacts, gives: givesSpec(request) }),
    ...(environment && { environment: environmentSpec(environment) }),
  };
}

function givesSpec({ trigger, number }: CompileRequest): NonNullable<CommonSpec['gives']> {
  const root = trigger.upstream?.family;
  return { ref: givenRef(trigger), number, ...(root !== undefined && { root }) };
}

/** As in GitLab: the pipelines of a merge request are not those of its branch. */
const givenRef = ({ refKind, ref, mergeRequest }: Trigger): string =>
  refKind === 'merge_request' ? `refs/merge-requests/${mergeRequest?.iid ?? 0}/head` : ref;

const environmentSpec = ({ name, url }: Environment): { name: string; url?: string } => ({
  name,
  ...(url !== undefined && { url }),
});

function artifactsSpec(draft: Draft, context: PlanContext): ArtifactsSpec | undefined {
  const site = publishedFolder(draft, context);
  const written = draft.config.values.artifacts ?? (site === undefined ? undefined : {});
  if (!written) return undefined;
  const scope = context.scope(draft);
  const paths = (key: 'paths' | 'exclude'): string[] =>
    (written[key] ?? []).flatMap((path, index) => artifactPath({ draft, context, path, at: [key, index] }));
  const own = paths('paths');
  const { artifactAgeMs } = context.request.limits;
  const expireInMs = written.expire_in ? written.expire_in.ms : artifactAgeMs;
  return {
    // GitLab: the published folder is an artifact automatically.
    paths: site === undefined || own.includes(site) ? own : [...own, site],
    exclude: paths('exclude'),
    untracked: written.untracked ?? false,
    ...(written.name && { name: scope.expand(written.name).text }),
    when: written.when ?? 'on_success',
    ...(expireInMs !== undefined && { expireInMs }),
    ...(written.reports?.dotenv && {
      dotenv: written.reports.dotenv.flatMap((path, index) =>
        artifactPath({ draft, context, path, at: ['reports', 'dotenv', index] }),
      ),
    }),
    ...reportsSpec(draft, context),
    ...accessSpec(written),
    ...(written.expose_as !== undefined && { exposeAs: written.expose_as }),
  };
}

function reportsSpec(draft: Draft, context: PlanContext): Pick<ArtifactsSpec, 'reports'> {
  const written = draft.config.values.artifacts?.reports;
  if (!written) return {};
  const reports = REPORTS.flatMap((kind) => {
    const paths = (written[kind] ?? []).flatMap((path, index) =>
      artifactPath({ draft, context, path, at: ['reports', kind, index] }),
    );
    return paths.length > 0 ? [{ kind: kind as string, paths }] : [];
  });
  const coverage = written.coverage_report;
  if (coverage) {
    const paths = artifactPath({
      draft,
      context,
      path: coverage.path,
      at: ['reports', 'coverage_report', 'path'],
    });
    if (paths.length > 0) reports.push({ kind: `coverage_report:${coverage.coverage_format}`, paths });
  }
  return reports.length > 0 ? { reports } : {};
}

/** GitLab's roles: a maintainer is an operator here; artifacts that are not public are for developers. */
function accessSpec({ access, public: isPublic }: Written): Pick<ArtifactsSpec, 'access'> {
  if (access === 'none') return { access: 'nobody' };
  if (access === 'maintainer') return { access: 'operator' };
  return access === 'developer' || isPublic === false ? { access: 'developer' } : {};
}
type Written = NonNullable<JobValues['artifacts']>;

interface ArtifactPath {
  draft: Draft;
  context: PlanContext;
  path: string;
  at: (string | number)[];
}

/**
 * Relative to the project: `$CI_PROJECT_DIR/x` is `x`. Any other path outside of it is skipped with a
 * warning, as GitLab's runner does: existing files contain such paths.
 */
function artifactPath({ draft, context, path, at }: ArtifactPath): string[] {
  const scope = context.scope(draft);
  const { text, late } = scope.expand(path);
  const root = projectDir(context.request);
  const inside = text === root ? '.' : text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  const outside = inside.startsWith('/') || pathProblem(inside) !== undefined;
  if (!outside || late) return [inside];
  if (isUnknownHere(path, scope, context.request)) return [];
  const what = `artifacts.${at.join('.')} of "${draft.group}" must stay inside the project: "${text}" is not stored`;
  context.problems.add('language/path', what, {
    at: placeIn(draft.config, 'artifacts', at),
    severity: 'warning',
  });
  return [];
}

interface WrittenImage {
  name: string;
  entrypoint?: string[];
  docker?: { platform?: string; user?: string };
  pull_policy?: readonly ImageSpec['pullPolicy'][];
}

export function imageSpec(written: WrittenImage, scope: Scope): ImageSpec {
  const expand = (text: string): string => scope.expand(text).text;
  return {
    name: expand(written.name),
    ...(written.entrypoint && { entrypoint: written.entrypoint }),
    ...(written.docker?.user !== undefined && { user: expand(written.docker.user) }),
    ...(written.docker?.platform !== undefined && { platform: expand(written.docker.platform) }),
    pullPolicy: written.pull_policy?.[0] ?? 'if-not-present',
  };
}

/**
 * A service gets the variables that the file sets, which configure its image, and its own. Masked variables
 * of the project reach it only where the file names them: a service's environment can be read from the
 * engine.
 */
export function servicesSpec(
  draft: Draft,
  { scope, images }: { scope: Scope; images: Scope },
): ServiceSpec[] {
  const services = draft.config.values.services ?? [];
  if (services.length === 0) return [];
  const shared = scope.all().filter((variable) => variable.from === 'file');
  const nodes = itemNodes(draft.config.entries.get('services')?.value);
  const taken = new Set<string>();
  return services.map((service, index) => {
    const image = imageSpec(service, images);
    const own = 'variables' in service ? ruleKey(nodes[index], 'variables') : undefined;
    const command = 'command' in service ? service.command : undefined;
    const alias = 'alias' in service ? (service.alias ?? '') : '';
    // As in GitLab, an alias is a further name, and a name belongs to the first service that has it.
    const names = [
      ...(image.name.includes('$') ? [] : serviceAliases(image.name)),
      ...scope.expand(alias).text.split(/[\s,]+/),
    ];
    const aliases = [...new Set(names)].filter((name) => name !== '' && !taken.has(name));
    for (const name of aliases) taken.add(name);
    return {
      ...image,
      aliases,
      ...(command && { command: command.map((part) => scope.expand(part).text) }),
      variables: merged(shared, ownVariables(own, scope)),
    };
  });
}

function ownVariables(node: Parameters<typeof yamlLayer>[0], scope: Scope): SpecVariable[] {
  return [...yamlLayer(node).values()].map((variable) => {
    const literal = 'literal' in variable.value ? variable.value.literal : '';
    const { text, late, tainted } = variable.raw
      ? { text: literal, late: false, tainted: false }
      : scope.expand(literal);
    const { name, from, file } = variable;
    return { name, value: { literal: text }, masked: tainted, file, from, ...(late && { late }) };
  });
}

const merged = (below: readonly SpecVariable[], above: readonly SpecVariable[]): SpecVariable[] => [
  ...new Map([...below, ...above].map((variable) => [variable.name, variable])).values(),
];
