import { FILE_IMAGES, readsAsFiles } from '../../plan/policy/secret-files.ts';
import { isArch } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { ApitestSpec, ScriptSpec } from '../../plan/model/spec.ts';
import { eventOf } from '../../plan/model/trigger.ts';
import type { Apitest } from '../schema/keywords/davit-jobs.ts';
import { cachesSpec } from './spec-cache.ts';
import { commonSpec, imageSpec, servicesSpec } from './spec-common.ts';
import type { PlanContext } from './context.ts';
import { pagesSpec } from './spec-pages.ts';
import { releaseSpec } from './spec-release.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import { settle } from './settle.ts';

export function scriptSpec(draft: Draft, context: PlanContext): ScriptSpec {
  const { values } = draft.config;
  const caches = cachesSpec(draft, context);
  const pages = pagesSpec(draft, context);
  const hook = values.hooks?.pre_get_sources_script;
  return {
    ...commonSpec(draft, context),
    kind: 'script',
    image: jobImage(draft, context),
    services: services(draft, context),
    script: [...(values.before_script ?? []), ...(values.script ?? [])],
    afterScript: values.after_script ?? [],
    tags: expandedTags(draft, context),
    ...(caches.length > 0 && { caches }),
    ...(hook && hook.length > 0 && { preGetSources: hook }),
    ...(values.release && { release: releaseSpec(draft, context, values.release) }),
    ...(pages && { pages }),
    ...(values.coverage !== undefined && { coverage: values.coverage }),
  };
}

/** The environment of a service can be read from the engine, so a masked value that is in it and in no file is a warning. */
function services(draft: Draft, context: PlanContext): ScriptSpec['services'] {
  const scope = context.scope(draft);
  const found = servicesSpec(draft, { scope, images: context.images(draft) });
  for (const [index, service] of found.entries()) {
    const files = readsAsFiles(service);
    const shown = service.variables.filter((one) => one.masked && !files.includes(one.name));
    for (const { name } of shown) warnOfShown(draft, context, { what: `a masked value as ${name}`, index });
    const written = draft.config.values.services?.[index];
    const command = (written && 'command' in written && written.command) || [];
    if (command.some((part) => scope.expand(part).tainted))
      warnOfShown(draft, context, { what: 'a masked value in its command', index });
  }
  return found;
}

function warnOfShown(
  draft: Draft,
  context: PlanContext,
  { what, index }: { what: string; index: number },
): void {
  context.problems.add(
    'language/secret',
    `A service of "${draft.group}" gets ${what}, which its engine shows`,
    {
      severity: 'warning',
      at: placeIn(draft.config, 'services', [index]),
      hint: `Use a value that only this job needs, and that changes with each run. Passwords of official images (${FILE_IMAGES.join(', ')}) are passed as files.`,
    },
  );
}

function jobImage(draft: Draft, context: PlanContext): ScriptSpec['image'] {
  const { request } = context;
  const written = draft.config.values.image ?? { name: request.defaultImage ?? request.helperImage };
  const image = imageSpec(written, context.images(draft));
  if (imageSpec(written, context.scope(draft)).name !== image.name)
    context.problems.add(
      'language/no-effect',
      `The image of "${draft.group}" stays ${image.name}: a run on a protected ref may not choose it`,
      { severity: 'warning', hint: 'Name the image in the pipeline file.' },
    );
  return image;
}

export function apitestSpec(draft: Draft, context: PlanContext, apitest: Apitest): ApitestSpec {
  const scope = context.scope(draft);
  const env = Object.entries(apitest.env).map(([name, text]) => {
    const { text: literal, late, tainted } = scope.expand(text);
    if (tainted)
      context.problems.add(
        'language/secret',
        `The tested container of "${draft.group}" gets a masked value as ${name}, which its engine shows`,
        {
          severity: 'warning',
          at: placeIn(draft.config, 'apitest', ['env', name]),
          hint: 'Use a value that only this job needs, and that changes with each run.',
        },
      );
    return { name, value: { literal }, masked: tainted, file: false, ...(late && { late }) };
  });
  return {
    ...scriptSpec(draft, context),
    kind: 'apitest',
    arch: draft.arch ?? context.request.defaultArch,
    imageFrom: draft.imagesFrom[0] ?? '',
    port: apitest.port,
    ready: {
      ...(apitest.ready.http !== undefined && { http: apitest.ready.http }),
      timeoutMs: apitest.ready.timeout,
    },
    network: apitest.network,
    host: apitest.host,
    env,
  };
}

/** Tags with their variables expanded; they are in the plan, so they must not contain a secret. */
export function expandedTags(draft: Draft, context: PlanContext): string[] {
  const { config } = draft;
  const scope = context.scope(draft);
  const tags = (config.values.tags ?? []).map((text, index) =>
    text.includes('$') || text.includes('%')
      ? settle(config, { scope, text, keyword: 'tags', path: [index] }, context.problems)
      : text,
  );
  const leftOut = tags.filter((tag) => isLeftOut(tag, draft, context));
  if (leftOut.length === 0) return tags;
  const named = `${leftOut.length > 1 ? 'tags' : 'tag'} ${leftOut.join(', ')}`;
  context.problems.add(
    'language/no-worker',
    `no worker has the ${named}: "${draft.group}" runs on this machine`,
    {
      at: placeIn(config, 'tags'),
      hint: `In a pipeline of the server it waits for a worker with ${leftOut.length > 1 ? 'these tags' : 'this tag'}.`,
      severity: 'warning',
    },
  );
  return tags.filter((tag) => !leftOut.includes(tag));
}

/** Machines that run jobs: a worker only for deployments has a host name of its own. */
const machines = (fleet: readonly WorkerReport[]): number =>
  new Set(fleet.filter((worker) => worker.arches.length > 0).map((worker) => worker.hostId)).size;

/** In a local run on one machine, a tag that it does not have is ignored instead of waited for. */
function isLeftOut(tag: string, { config }: Draft, { request }: PlanContext): boolean {
  const { fleet, trigger, targets } = request;
  if (!trigger.here || eventOf(trigger) !== 'cli' || isArch(tag) || targets.includes(tag)) return false;
  if (config.kind === 'deploy' || machines(fleet) !== 1) return false;
  return !fleet.some((worker) => worker.tags.includes(tag));
}
