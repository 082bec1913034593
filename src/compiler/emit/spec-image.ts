/**
 * Specs of build and push jobs. Their texts are readable for everybody who can pull the image, so
 * secrets are refused.
 */
import type { BuildSpec, PushSpec } from '../../plan/model/spec.ts';
import type { Build, Push } from '../schema/keywords/davit-jobs.ts';
import { pipelineUrl, registryImage } from '../variables/predefined.ts';
import { slugify } from '../variables/slug.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { commonSpec } from './spec-common.ts';
import { FORKS } from '../../match/image-permission.ts';
import {
  cacheRepository,
  pipelineRepository,
  type ProjectRepositories,
  pushRefusal,
} from '../../match/project-repositories.ts';
import { isLocalOperator } from '../variables/installation.ts';
import { sha256 } from '../../utils/sha256.ts';
import { placeIn } from '../job-config.ts';
import { settlerOf, type SettleText } from './settler.ts';

export function buildSpec(draft: Draft, context: PlanContext, build: Build): BuildSpec {
  const expand = settlerOf(draft, context, 'build');
  const arch = draft.arch ?? context.request.defaultArch;
  return {
    ...commonSpec(draft, context),
    kind: 'build',
    arch,
    context: expand(build.context, 'context'),
    dockerfile: expand(build.dockerfile, 'dockerfile'),
    ...(build.target !== undefined && { target: expand(build.target, 'target') }),
    args: settleMap(build.args, expand, 'args'),
    ...buildRepositories(draft, context, { arch, cacheFrom: build.cache_from }),
    tag: `davit-${context.request.iid}-${uniqueSlug(draft, context)}-${arch}`,
    cacheFrom: build.cache_from,
    labels: { ...imageLabels(context), ...ownLabels({ draft, context, build, expand }) },
  };
}

const settleMap = (
  map: Readonly<Record<string, string>>,
  expand: SettleText,
  key: string,
): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([name, text]) => [name, expand(text, key, name)]));

/**
 * `build:a` and `build/a` would share a tag, and so would parallel ones: a slug that is not unique gets a
 * hash.
 */
function uniqueSlug(draft: Draft, { drafts }: PlanContext): string {
  const name = draft.share ? draft.key : draft.group;
  const slug = slugify(draft.group).slice(0, 50);
  const twin = drafts.all.some(
    (other) =>
      other.group !== draft.group &&
      other.config.kind === 'build' &&
      slugify(other.group).slice(0, 50) === slug,
  );
  return twin || draft.share ? `${slug}-${sha256(name).slice(0, 8)}` : slug;
}

/** Only OCI's own labels: containers inherit an image's labels, and davit's would mark them as its own. */
function imageLabels({ request }: PlanContext): Record<string, string> {
  const version = request.trigger.refKind === 'tag' ? request.trigger.ref : request.trigger.sha.slice(0, 8);
  return {
    'org.opencontainers.image.source':
      request.project.url ?? `${request.serverUrl}/projects/${request.project.slug}`,
    'org.opencontainers.image.revision': request.trigger.sha,
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.created': request.commit.timestamp,
    'org.opencontainers.image.url': pipelineUrl(request),
  };
}

function ownLabels({
  draft,
  context,
  build,
  expand,
}: {
  draft: Draft;
  context: PlanContext;
  build: Build;
  expand: SettleText;
}): Record<string, string> {
  for (const name of Object.keys(build.labels))
    if (name.startsWith('davit.'))
      context.problems.add(
        'language/conflict',
        `the label "${name}" of "${draft.group}" is reserved for davit`,
        {
          at: placeIn(draft.config, 'build', ['labels', name]),
          hint: 'Labels that begin with davit. mark what davit itself runs and cleans up.',
        },
      );
  return settleMap(build.labels, expand, 'labels');
}

const REPOSITORY = /^[a-z0-9][a-z0-9.-]*(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+$/;

/** Where the build pushes its image, and where its layers come from and go to. */
function buildRepositories(
  draft: Draft,
  context: PlanContext,
  { arch, cacheFrom }: Pick<BuildSpec, 'arch' | 'cacheFrom'>,
): Pick<BuildSpec, 'repository' | 'cache'> {
  const of = repositoriesOf(context);
  const target = buildTarget(draft, context);
  // A fork has no rights in the registry but to write what is its own.
  if (context.request.trigger.fork) return { repository: target, cache: { read: [] } };
  const repository = pipelineRepository(target, of);
  if (cacheFrom === 'none') return { repository, cache: { read: [] } };
  const write = `${cacheRepository(target, of)}:${arch}`;
  const read = of.protectedRef ? [write] : [write, `${cacheRepository(target, of, 'protected')}:${arch}`];
  return { repository, cache: { read, write } };
}

const repositoriesOf = ({ request }: PlanContext): ProjectRepositories => ({
  project: request.project.slug,
  registry: request.registry,
  root: request.project.imageRoot,
  protectedRef: request.project.protectedRef,
});

/**
 * Where the image of a build ends: from the build itself, else from the push job that names it, else
 * CI_REGISTRY_IMAGE.
 */
export function buildTarget(draft: Draft, context: PlanContext): string {
  const { project, registry, trigger } = context.request;
  // Images of a fork get repositories of their own, whatever the file names.
  if (trigger.fork) return `${registry}/${FORKS}/${project.slug}`;
  const own = draft.config.values.build?.to;
  if (own !== undefined) return repository(own, { draft, context, keyword: 'build' });
  for (const push of pushesOf(draft, context)) {
    const to = push.config.values.push?.to;
    if (to !== undefined) return repository(to, { draft: push, context, keyword: 'push' });
  }
  return registryImage(context.request);
}

const pushesOf = (draft: Draft, { drafts }: PlanContext): Draft[] =>
  drafts.all.filter((other) =>
    other.config.values.push?.from.some((name) => name === draft.group || name === draft.key),
  );

function repository(text: string, from: { draft: Draft; context: PlanContext; keyword: string }): string {
  const { draft, context, keyword } = from;
  const settled = settlerOf(draft, context, keyword)(text, 'to');
  if (!REPOSITORY.test(settled) && !settled.includes('$'))
    context.problems.add(
      'language/type',
      `${keyword}.to of "${draft.group}" is not a repository name: "${settled}"`,
      {
        at: placeIn(draft.config, keyword, ['to']),
        hint: 'Write REGISTRY/NAME in lower case and without a tag, like $CI_REGISTRY_IMAGE.',
      },
    );
  else refusePush(settled, from);
  return settled;
}

function refusePush(
  settled: string,
  { draft, context, keyword }: { draft: Draft; context: PlanContext; keyword: string },
): void {
  const { project, trigger } = context.request;
  const rules = { pushTo: project.pushTo ?? [], local: isLocalOperator(trigger) };
  const refusal = trigger.fork ? undefined : pushRefusal(settled, repositoriesOf(context), rules);
  if (refusal !== undefined)
    context.problems.add('language/conflict', `${keyword}.to of "${draft.group}": ${refusal}`, {
      at: placeIn(draft.config, keyword, ['to']),
      hint: `An operator allows other repositories with push_to of the project ${project.slug}, in the installation file.`,
    });
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export function pushSpec(draft: Draft, context: PlanContext, push: Push): PushSpec {
  const expand = settlerOf(draft, context, 'push');
  const builds = context.drafts.all.filter((other) => draft.imagesFrom.includes(other.key));
  const isFork = context.request.trigger.fork;
  const to =
    push.to === undefined || isFork ? undefined : repository(push.to, { draft, context, keyword: 'push' });
  const repositories = [...new Set(builds.map((build) => buildTarget(build, context)))];
  const target = to ?? repositories[0] ?? registryImage(context.request);
  if (repositories.some((other) => other !== target))
    context.problems.add(
      'language/conflict',
      `"${draft.group}" pushes to ${target}, but its images are in ${repositories.join(', ')}`,
      {
        at: placeIn(draft.config, 'push', push.to === undefined ? ['from'] : ['to']),
        hint: 'An index can only name images of its own repository: give build.to and push.to the same value.',
      },
    );
  if (!push.manifest && builds.length > 1)
    context.problems.add(
      'language/conflict',
      `"${draft.group}" pushes ${builds.length} architectures under one tag, which requires manifest: true`,
      {
        at: placeIn(draft.config, 'push', ['manifest']),
      },
    );
  const tags = push.tags.map((text, index) => {
    const tag = expand(text, 'tags', index);
    if (!TAG.test(tag) && !tag.includes('${'))
      context.problems.add(
        'language/type',
        `push.tags[${index}] of "${draft.group}" is not a tag: "${tag}"`,
        {
          at: placeIn(draft.config, 'push', ['tags', index]),
          hint: 'A tag has letters, digits, _ . - ; for a branch name use $CI_COMMIT_REF_SLUG.',
        },
      );
    return tag;
  });
  return {
    ...commonSpec(draft, context),
    kind: 'push',
    repository: target,
    pipelines: isFork ? target : pipelineRepository(target, repositoriesOf(context)),
    tags: [...new Set(tags)],
    from: draft.imagesFrom,
  };
}
