/** The variables of an attempt, resolved once in each dispatch, and the spec with what the plan left open filled in. */
import { expandLate } from '../../../src/compiler/variables/expand.ts';
import type { ArtifactsSpec, CacheSpec, ImageSpec, ServiceSpec } from '../../../src/plan/model/spec.ts';
import { serviceAliases } from '../../../src/plan/policy/service-aliases.ts';
import { retryUntilReachable } from '../../runtime/retry-policies.ts';
import { startEarly } from '../../runtime/start-early.ts';
import { platformOf } from '../container/image.ts';
import type { JobDeps } from '../context/deps.ts';
import { archOf, type Job } from '../context/job.ts';
import { type ResolvedVariables, resolveVariables } from './variables.ts';

const resolved = new WeakMap<Job, Promise<ResolvedVariables>>();
const filled = new WeakSet<Job>();

/** Rejects as `resolveVariables` does; what failed is tried again by the next call. */
export async function resolvedOf(job: Job): Promise<ResolvedVariables> {
  const { deps, spec, input } = job;
  const worker = { ...deps.worker, platform: platformOf(deps, archOf(job)) };
  const credentials: JobDeps['credentials'] = {
    forJob: (use) => retryUntilReachable(job.lease.signal, () => deps.credentials.forJob(use)),
  };
  const known =
    resolved.get(job) ??
    startEarly(
      resolveVariables(spec, input, {
        ...deps,
        worker,
        credentials,
        cloneUrl: cloneUrlOf(job),
        authority: { pem: deps.serverAuthority, server: deps.facts.url },
        more: apiVariables(job),
      }),
    );
  resolved.set(job, known);
  try {
    return await known;
  } catch (error) {
    resolved.delete(job);
    throw error;
  }
}

/** On the server, if scripts can reach it: the loopback of a container is its own. */
function cloneUrlOf({ spec, deps: { facts } }: Job): string | undefined {
  const { clone_url } = facts.config.projects.find(({ name }) => name === spec.project) ?? {};
  if (!/^https?:/.test(clone_url ?? '') || !URL.canParse(facts.url)) return undefined;
  const url = new URL(facts.url);
  if (/^(?:127\.|localhost$|\[::1\]$)/.test(url.hostname)) return undefined;
  url.pathname = `${url.pathname.replace(/\/$/, '')}/git/${spec.project}.git`;
  return url.href;
}

/** Where the tested container answers. */
function apiVariables({ spec, deps }: Job): Record<string, string> {
  if (spec.kind !== 'apitest') return {};
  const host = spec.network === 'host' ? deps.worker.hostName : spec.host;
  return { API_URL: `http://${host}:${spec.port}`, API_HOST: host, API_PORT: String(spec.port) };
}

/** Fills artifacts, caches, services and the image in, if anything of them is open. A dispatch that resumes does it at the end. */
export async function fillSpec(job: Job): Promise<void> {
  const { artifacts, caches, services, image } = job.spec;
  const open = JSON.stringify([artifacts, caches, services, image]).includes('${');
  if (!open || filled.has(job)) return;
  const { values } = await resolvedOf(job);
  filled.add(job);
  const fill = (text: string): string => expandLate(text, values);
  const taken = new Set<string>();
  job.spec = {
    ...job.spec,
    image: filledImage(job.spec.image, fill),
    services: services.map((service) => filledService(service, fill, taken)),
    ...(artifacts && { artifacts: filledArtifacts(artifacts, fill) }),
    // Keys and policies are filled in where they are used: they were noted on the container when it was made.
    ...(caches && { caches: caches.map((cache): CacheSpec => ({ ...cache, paths: cache.paths.map(fill) })) }),
  };
}

type Fill = (text: string) => string;

const filledImage = <I extends ImageSpec>(image: I, fill: Fill): I => ({
  ...image,
  name: fill(image.name),
  ...(image.user !== undefined && { user: fill(image.user) }),
  ...(image.platform !== undefined && { platform: fill(image.platform) }),
});

/** `taken`: names of the services before it. */
function filledService(service: ServiceSpec, fill: Fill, taken: Set<string>): ServiceSpec {
  const image = filledImage(service, fill);
  const written = service.aliases.flatMap((alias) => fill(alias).split(/[\s,]+/));
  // A service is called by its image too, which was not known before.
  const names = service.name.includes('${') ? [...serviceAliases(image.name), ...written] : written;
  const aliases = [...new Set(names)].filter((name) => name !== '' && !taken.has(name));
  for (const name of aliases) taken.add(name);
  return {
    ...image,
    aliases,
    ...(service.command && { command: service.command.map(fill) }),
  };
}

const filledArtifacts = (artifacts: ArtifactsSpec, fill: Fill): ArtifactsSpec => ({
  ...artifacts,
  paths: artifacts.paths.map(fill),
  exclude: artifacts.exclude.map(fill),
  ...(artifacts.name !== undefined && { name: fill(artifacts.name) }),
  ...(artifacts.dotenv && { dotenv: artifacts.dotenv.map(fill) }),
  ...(artifacts.reports && {
    reports: artifacts.reports.map((report) => ({ ...report, paths: report.paths.map(fill) })),
  }),
});
