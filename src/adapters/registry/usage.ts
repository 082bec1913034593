/**
 * What davit's own registry holds, by project: sums of the layers that tags lead to. A registry lists tags only, so what
 * no tag names any more is not in the sums, although it takes space until the registry collects it.
 *
 * USAGE-1 A layer counts once in each repository kind of a project, however many tags and images have it.
 * USAGE-2 `total` counts each layer once, as it is stored once.
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { FORKS } from '../../match/image-permission.ts';
import { RESERVED } from '../../match/project-repositories.ts';
import type { ImageKind, ImageUsage, ProjectImages, TaggedImage } from '../ports.ts';
import type { RegistryHttp } from './http.ts';
import { describeManifest, isIndex, partsOf, type Part } from './manifest.ts';
import { manifestPath, readManifest } from './read-manifest.ts';

const PAGE = 500;
const AT_ONCE = 4;
/** Beyond this the sums would take minutes: what was read until then is told, and that it is not all. */
const MAX_MANIFESTS = 20_000;

const catalog = z.object({ repositories: z.array(z.string()).nullish() });
const tagList = z.object({ tags: z.array(z.string()).nullish() });

/** Rejects as `RegistryHttp.ask` does. */
export async function imageUsage(http: RegistryHttp): Promise<ImageUsage> {
  const repositories = await repositoriesOf(http);
  const layers = new Map<string, number>();
  const projects = new Map<string, Record<ImageKind, Map<string, number>>>();
  let left = MAX_MANIFESTS;
  const open = [...repositories];
  const next = async (): Promise<void> => {
    for (let name = open.shift(); name !== undefined && left > 0; name = open.shift()) {
      const { project, kind } = placeOf(name);
      const found = projects.get(project) ?? { images: new Map(), pipelines: new Map(), caches: new Map() };
      projects.set(project, found);
      for await (const { digest, size } of contentOf(http, name, () => (left -= 1) >= 0)) {
        found[kind].set(digest, size);
        layers.set(digest, size);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return {
    registry: http.host,
    projects: [...projects].map(([project, kinds]) => summed(project, kinds)).sort(byBytes),
    total: sum(layers.values()),
    complete: left > 0,
  };
}

function summed(project: string, kinds: Record<ImageKind, Map<string, number>>): ProjectImages {
  const { images, pipelines, caches } = kinds;
  return {
    project,
    images: sum(images.values()),
    pipelines: sum(pipelines.values()),
    caches: sum(caches.values()),
    bytes: sum(new Map([...images, ...pipelines, ...caches]).values()),
  };
}

const byBytes = (a: ProjectImages, b: ProjectImages): number => b.bytes - a.bytes;
const sum = (sizes: Iterable<number>): number => [...sizes].reduce((all, size) => all + size, 0);

/** `PROJECT/cache/…`, `PROJECT/pipelines/…`, `forks/PROJECT`, else an image of PROJECT. */
export function placeOf(repository: string): { project: string; kind: ImageKind } {
  const [first = '', second = ''] = repository.split('/');
  if (first === FORKS && second !== '') return { project: second, kind: 'pipelines' };
  if (!RESERVED.includes(second)) return { project: first, kind: 'images' };
  return { project: first, kind: second === 'cache' ? 'caches' : 'pipelines' };
}

export async function repositoriesOf(http: RegistryHttp, pageLength = PAGE): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const last = found.at(-1);
    const after = last === undefined ? '' : `&last=${encodeURIComponent(last)}`;
    const answer = await http.ask({
      method: 'GET',
      path: `_catalog?n=${pageLength}${after}`,
      scope: 'registry:catalog:*',
      what: 'list the repositories',
    });
    const page = read(catalog, answer.body).repositories ?? [];
    found.push(...page);
    // A registry that begins again would be read for ever.
    if (page.length < pageLength || page.at(-1) === last) return found;
  }
}

export async function tagsOf(http: RegistryHttp, repository: string): Promise<string[]> {
  const answer = await http.ask({
    method: 'GET',
    path: `${repository}/tags/list`,
    scope: `repository:${repository}:pull`,
    what: `list the tags of ${repository}`,
  });
  return answer.status === 404 ? [] : (read(tagList, answer.body).tags ?? []);
}

/** Manifests, configurations and layers that the tags lead to. */
async function* contentOf(
  http: RegistryHttp,
  repository: string,
  mayRead: () => boolean,
): AsyncGenerator<Part> {
  const seen = new Set<string>();
  const open = await tagsOf(http, repository);
  for (let reference = open.shift(); reference !== undefined; reference = open.shift()) {
    if (seen.has(reference) || !mayRead()) continue;
    seen.add(reference);
    const body = await readManifest(http, repository, reference);
    if (!body) continue; // removed meanwhile
    const { digest, mediaType, sizeBytes } = describeManifest(body.body, body.contentType);
    if (seen.has(digest) && digest !== reference) continue;
    seen.add(digest);
    yield { digest, size: sizeBytes };
    if (isIndex(mediaType)) open.push(...partsOf(body.body).map((part) => part.digest));
    else yield* partsOf(body.body);
  }
}

/** What each tag leads to. */
export async function taggedImages(http: RegistryHttp, repository: string): Promise<TaggedImage[]> {
  const found: TaggedImage[] = [];
  for (const tag of await tagsOf(http, repository)) {
    const manifest = await readManifest(http, repository, tag);
    if (!manifest) {
      found.push({ tag, lists: [] });
      continue;
    }
    const { digest, mediaType } = describeManifest(manifest.body, manifest.contentType);
    const lists = isIndex(mediaType) ? partsOf(manifest.body).map((part) => part.digest) : [];
    found.push({ tag, digest, lists });
  }
  return found;
}

export async function removeImage(http: RegistryHttp, repository: string, digest: string): Promise<void> {
  await http.ask({
    method: 'DELETE',
    path: manifestPath(repository, digest),
    scope: `repository:${repository}:delete`,
    what: `remove ${repository}@${digest}`,
  });
}

function read<T>(schema: z.ZodType<T>, body: Buffer): T {
  try {
    return schema.parse(JSON.parse(body.toString('utf8')));
  } catch {
    throw new DavitError('registry/failed', 'The registry sent a list that cannot be read.'); // the body is long
  }
}
