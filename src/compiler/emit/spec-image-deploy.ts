/** Specs of jobs that ship: build, push, deploy. What they write is public to whoever can pull, so secrets are refused. */
import type { BuildSpec, DeploySpec, PushSpec, SwarmSpec } from '../../plan/model/spec.ts';
import { placeIn } from '../assemble/job.ts';
import {
  parsePublish,
  PUBLISH_FORM,
  type Build,
  type Push,
  type Swarm,
} from '../schema/keywords/davit-jobs.ts';
import { pipelineUrl, registryImage } from '../variables/predefined.ts';
import { slugify } from '../variables/slug.ts';
import type { Path } from '../yaml/nodes.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { commonSpec } from './spec-common.ts';
import { sha256 } from '../../utils/sha256.ts';

type Settle = (text: string, ...path: Path) => string;
function settler(draft: Draft, context: PlanContext, keyword: string): Settle {
  const scope = context.scope(draft);
  return (text, ...path) => context.settle(draft.config, { scope, text, keyword, path });
}

export function buildSpec(draft: Draft, context: PlanContext, build: Build): BuildSpec {
  const settle = settler(draft, context, 'build');
  const arch = draft.arch ?? context.request.defaultArch;
  return {
    ...commonSpec(draft, context),
    kind: 'build',
    arch,
    context: settle(build.context, 'context'),
    dockerfile: settle(build.dockerfile, 'dockerfile'),
    ...(build.target !== undefined && { target: settle(build.target, 'target') }),
    args: settleMap(build.args, settle, 'args'),
    repository: buildRepository(draft, context),
    tag: `davit-${context.request.iid}-${uniqueSlug(draft, context)}-${arch}`,
    cacheFrom: build.cache_from,
    labels: { ...imageLabels(context), ...ownLabels({ draft, context, build, settle }) },
  };
}

const settleMap = (
  map: Readonly<Record<string, string>>,
  settle: Settle,
  key: string,
): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([name, text]) => [name, settle(text, key, name)]));

/** `build:a` and `build/a` would share a tag, and so would parallel ones: what is not unique as a slug gets a hash. */
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

/** Containers inherit an image's labels, so these are OCI's own and none of davit's. */
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
  settle,
}: {
  draft: Draft;
  context: PlanContext;
  build: Build;
  settle: Settle;
}): Record<string, string> {
  for (const name of Object.keys(build.labels))
    if (name.startsWith('davit.'))
      context.problems.add('language/conflict', `the label "${name}" of "${draft.group}" is davit's own`, {
        at: placeIn(draft.config, 'build', ['labels', name]),
        hint: 'Labels that begin with davit. mark what davit itself runs and cleans up.',
      });
  return settleMap(build.labels, settle, 'labels');
}

const REPOSITORY = /^[a-z0-9][a-z0-9.-]*(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+$/;

/** Of the build itself, else of the push job that names it, else CI_REGISTRY_IMAGE. */
export function buildRepository(draft: Draft, context: PlanContext): string {
  const { project, registry, trigger } = context.request;
  // What a stranger builds stands beside the images of the project, under whatever name the file gives.
  if (trigger.fork) return `${registry}/forks/${project.slug}`;
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
  const settled = settler(draft, context, keyword)(text, 'to');
  if (!REPOSITORY.test(settled) && !settled.includes('$'))
    context.problems.add(
      'language/type',
      `${keyword}.to of "${draft.group}" is no repository name: "${settled}"`,
      {
        at: placeIn(draft.config, keyword, ['to']),
        hint: 'Write REGISTRY/NAME in lower case and without a tag, like $CI_REGISTRY_IMAGE.',
      },
    );
  return settled;
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export function pushSpec(draft: Draft, context: PlanContext, push: Push): PushSpec {
  const settle = settler(draft, context, 'push');
  const builds = context.drafts.all.filter((other) => draft.imagesFrom.includes(other.key));
  const isFork = context.request.trigger.fork;
  const to =
    push.to === undefined || isFork ? undefined : repository(push.to, { draft, context, keyword: 'push' });
  const repositories = [...new Set(builds.map((build) => buildRepository(build, context)))];
  const target = to ?? repositories[0] ?? registryImage(context.request);
  if (repositories.some((other) => other !== target))
    context.problems.add(
      'language/conflict',
      `"${draft.group}" pushes to ${target}, and its images are in ${repositories.join(', ')}`,
      {
        at: placeIn(draft.config, 'push', push.to === undefined ? ['from'] : ['to']),
        hint: 'An index can only name images of its own repository: give build.to and push.to the same value.',
      },
    );
  if (!push.manifest && builds.length > 1)
    context.problems.add(
      'language/conflict',
      `"${draft.group}" pushes ${builds.length} architectures under one tag, which takes manifest: true`,
      {
        at: placeIn(draft.config, 'push', ['manifest']),
      },
    );
  const tags = push.tags.map((text, index) => {
    const tag = settle(text, 'tags', index);
    if (!TAG.test(tag) && !tag.includes('${'))
      context.problems.add('language/type', `push.tags[${index}] of "${draft.group}" is no tag: "${tag}"`, {
        at: placeIn(draft.config, 'push', ['tags', index]),
        hint: 'A tag has letters, digits, _ . - ; for a branch name use $CI_COMMIT_REF_SLUG.',
      });
    return tag;
  });
  return {
    ...commonSpec(draft, context),
    kind: 'push',
    repository: target,
    tags: [...new Set(tags)],
    from: draft.imagesFrom,
  };
}

export function deploySpec(
  draft: Draft,
  context: PlanContext,
  more: { swarm: Swarm; target: string },
): DeploySpec {
  const { swarm, target } = more;
  const settle = settler(draft, context, 'deploy');
  const { environment } = context.prepared(draft);
  const imageFrom = draft.imagesFrom[0];
  return {
    ...commonSpec(draft, context),
    kind: 'deploy',
    target,
    ...(environment && {
      environment: { name: environment.name, ...(environment.url !== undefined && { url: environment.url }) },
    }),
    ...(imageFrom !== undefined && { imageFrom }),
    ...(swarm.image !== undefined && { image: settle(swarm.image, 'swarm', 'image') }),
    swarm: { ...swarmSpec(swarm, settle), publish: publishedPorts(draft, context, swarm) },
  };
}

function swarmSpec(swarm: Swarm, settle: Settle): Omit<SwarmSpec, 'publish'> {
  const list = (key: 'constraints' | 'networks', items: readonly string[]): string[] =>
    items.map((text, index) => settle(text, 'swarm', key, index));
  return {
    service: settle(swarm.service, 'swarm', 'service'),
    replicas: swarm.replicas,
    endpointMode: swarm.endpoint_mode,
    constraints: list('constraints', swarm.constraints),
    env: Object.fromEntries(
      Object.entries(swarm.env).map(([name, text]) => [name, settle(text, 'swarm', 'env', name)]),
    ),
    networks: list('networks', swarm.networks),
    ...(swarm.command && {
      command: swarm.command.map((text, index) => settle(text, 'swarm', 'command', index)),
    }),
    update: {
      order: swarm.update.order,
      parallelism: swarm.update.parallelism,
      delayMs: swarm.update.delay,
      onFailure: swarm.update.on_failure,
    },
    convergeTimeoutMs: swarm.converge_timeout,
  };
}

function publishedPorts(draft: Draft, context: PlanContext, swarm: Swarm): SwarmSpec['publish'] {
  const settle = settler(draft, context, 'deploy');
  // A service without a virtual address cannot publish through the ingress network.
  const usual = swarm.endpoint_mode === 'dnsrr' ? 'host' : 'ingress';
  return swarm.publish.flatMap((port, index) => {
    if (!('text' in port) || port.text === undefined) return [{ ...port, mode: port.mode ?? usual }];
    const path = ['swarm', 'publish', index];
    const text = settle(port.text, ...path);
    const ports = parsePublish(text);
    if (ports) return [{ ...ports, mode: usual }];
    context.problems.add(
      'language/type',
      `deploy.swarm.publish[${index}] of "${draft.group}" ${PUBLISH_FORM}, not "${text}"`,
      { at: placeIn(draft.config, 'deploy', path) },
    );
    return [];
  });
}
