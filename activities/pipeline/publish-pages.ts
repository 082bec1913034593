/**
 * `pages`: a folder of the job's artifact becomes a site, file by file in the blob store, with an index that
 * a record names.
 *
 * Invariants:
 *  PAGES-1 The deployment of the newest pipeline is served, in whatever order they end: each has a record of
 *          its own, and the highest number counts.
 *  PAGES-2 No record refers to the files of a replaced deployment, so the collector removes them.
 *  PAGES-3 A file that is not in the index is not served; a link is indexed as the file it points to within
 *          the site, or not at all.
 *  PAGES-4 Never from a fork.
 */
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Header } from 'tar-stream';
import type { BlobStore, RecordStore } from '../../src/adapters/ports.ts';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { parsePipelineId, type Digest } from '../../src/plan/model/ids.ts';
import {
  MAX_SITE_FILES,
  pagesName,
  pagesPrefix,
  pagesUrl,
  type PagesRecord,
  type SiteFile,
  type SiteIndex,
} from '../../src/plan/model/pages.ts';
import type { PagesSpec } from '../../src/plan/model/spec.ts';
import type { ControlActivities, PublishInput, PublishOutput } from '../contract.ts';
import { readSpec } from '../runtime/spec.ts';
import { archiveLimits, denseError, entryCounter, gunzipped } from '../runtime/archive-limits.ts';
import { eachEntry } from '../runtime/tar.ts';
import { inside } from '../runtime/path-inside.ts';

export interface PagesDeps {
  blobs: BlobStore;
  records: RecordStore;
  facts: InstallationFacts;
}
/** Larger files are streamed. */
const WHOLE_BYTES = 1_024 * 1_024;
/** Small files stored in parallel. */
const AT_ONCE = 8;
/** Deployments of one place that are checked for removal; older ones were removed before. */
const OLDER = 50;

export function makePublishPages(deps: PagesDeps): ControlActivities['publishPages'] {
  return async (input) => {
    const spec = await readSpec(deps.blobs, input.spec, input.kind === 'apitest' ? 'apitest' : 'script');
    if (!spec.pages) return refused('The job publishes no site.');
    if (spec.fork) return { kind: 'left', warning: 'pages: a pipeline of a fork publishes no site.' };
    const { folder } = spec.pages;
    if (!input.artifact) return refused(`pages: the job has left no files, so there is no ${folder}.`);
    const site = new Site(deps.blobs, folder);
    const trouble = await unpack(deps, input.artifact, site);
    if (trouble !== undefined) return refused(trouble);
    return publish(deps, { input, pages: spec.pages, site });
  };
}

const refused = (message: string): PublishOutput => ({ kind: 'refused', message });

const PACKED = 'pages: the artifact of the job';
/** The same at every attempt. */
const FINAL: readonly ErrorCode[] = ['blob/missing', 'job/artifacts', 'archive/limit'];

/** Returns the reason why there is no site in it; rejects with errors that another attempt may avoid. */
async function unpack(
  { blobs, facts }: PagesDeps,
  artifact: Digest,
  site: Site,
): Promise<string | undefined> {
  const limits = archiveLimits(facts.config.limits);
  try {
    const { ratio } = limits;
    const tar = gunzipped(await blobs.getStream(artifact), ratio, () => denseError(PACKED, ratio));
    const count = entryCounter(PACKED, limits);
    await eachEntry(tar, async (header, content) => {
      count();
      await site.take(header, content);
    });
    await site.settle();
  } catch (error) {
    if (!(error instanceof DavitError) || !FINAL.includes(error.code)) throw error;
    return error.code === 'blob/missing' ? 'pages: the artifact of the job is gone.' : error.message;
  }
  return site.files.size === 0 ? `pages: the artifact of the job has no file in ${site.folder}.` : undefined;
}

async function publish(
  { blobs, records, facts }: PagesDeps,
  { input, pages, site }: { input: PublishInput; pages: PagesSpec; site: Site },
): Promise<PublishOutput> {
  const { project, job, jobId } = input;
  const { prefix, expireInMs } = pages;
  const iid = parsePipelineId(input.pipeline)?.iid;
  if (iid === undefined) throw new DavitError('internal/defect', 'A pipeline has no number.');
  const index: SiteIndex = { version: 1, files: Object.fromEntries(site.files) };
  const digest = await blobs.putBytes(new TextEncoder().encode(JSON.stringify(index)));
  const own = pagesName({ project, prefix }, { iid, jobId });
  const expiry = expireInMs === undefined ? {} : { expiresAt: Date.now() + expireInMs };
  await records.put<PagesRecord>(own, { site: { digest, ...expiry }, job });
  const [newest, ...older] = await records.list(pagesPrefix(project, prefix), OLDER);
  for (const name of older) {
    const { site: former, job: by } = (await records.get<PagesRecord>(name)) ?? { job: '' };
    if (former) await records.put<PagesRecord>(name, { job: by });
  }
  if (newest !== own)
    return {
      kind: 'left',
      warning: 'pages: a newer pipeline has published this site already; that one stays.',
    };
  const url = pagesUrl(facts.url.replace(/\/+$/, ''), project, prefix);
  return { kind: 'published', url: `${url}/`, warnings: site.warnings() };
}

/** The files of one site on their way into the store. */
class Site {
  readonly folder: string;
  readonly files = new Map<string, SiteFile>();
  readonly #blobs: BlobStore;
  readonly #links = new Map<string, string>();
  readonly #open = new Set<Promise<void>>();
  #lost = 0;

  constructor(blobs: BlobStore, folder: string) {
    this.#blobs = blobs;
    this.folder = folder;
  }

  async take(header: Header, content: AsyncIterable<unknown>): Promise<void> {
    const path = this.#within(inside(header.name) ?? '');
    if (path === undefined || path === '') return;
    if (header.type === 'symlink')
      this.#links.set(path, posix.join(this.folder, posix.dirname(path), header.linkname ?? ''));
    if (header.type !== 'file' && header.type !== 'symlink') return;
    if (this.files.size + this.#links.size + this.#open.size > MAX_SITE_FILES)
      throw new DavitError('job/artifacts', `pages: a site has at most ${MAX_SITE_FILES} files.`);
    if (header.type === 'symlink') {
      if (posix.isAbsolute(header.linkname ?? '')) this.#links.set(path, '..');
      return;
    }
    if ((header.size ?? 0) > WHOLE_BYTES) {
      this.files.set(path, await this.#blobs.putStream(Readable.from(content, { objectMode: false })));
      return;
    }
    const bytes = await buffer(content);
    if (this.#open.size >= AT_ONCE) await Promise.race(this.#open);
    const put = this.#put(path, bytes).finally(() => this.#open.delete(put));
    put.catch(() => undefined); // `settle`, or the next race, rejects with it
    this.#open.add(put);
  }

  /** Waits until all is stored, and resolves links to their files. */
  async settle(): Promise<void> {
    await Promise.all(this.#open);
    if (this.#failed) throw this.#failed;
    for (const [path, target] of this.#links) this.#follow(path, this.#landing(target));
  }

  warnings(): string[] {
    return this.#lost === 0
      ? []
      : [`pages: ${this.#lost} symbolic links lead to nothing in ${this.folder} and are left out.`];
  }

  #failed: Error | undefined;
  async #put(path: string, bytes: Uint8Array): Promise<void> {
    try {
      this.files.set(path, { digest: await this.#blobs.putBytes(bytes), bytes: bytes.length });
    } catch (error) {
      this.#failed ??= error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }

  /** The path below the published folder; undefined if it is outside. */
  #within(path: string): string | undefined {
    if (path === this.folder) return '';
    return path.startsWith(`${this.folder}/`) ? path.slice(this.folder.length + 1) : undefined;
  }

  /** The final target of a link; undefined if it leaves the folder or is part of a cycle. */
  #landing(target: string): string | undefined {
    let here = this.#within(posix.normalize(target));
    for (let hops = 0; here !== undefined && hops < 40; hops += 1) {
      const next = this.#links.get(here);
      if (next === undefined) return here;
      here = this.#within(posix.normalize(next));
    }
    return undefined;
  }

  #follow(path: string, landing: string | undefined): void {
    const file = landing === undefined ? undefined : this.files.get(landing);
    if (file) {
      this.files.set(path, file);
      return;
    }
    const below = landing === undefined ? [] : this.#filesBelow(landing, path);
    if (below.length === 0) this.#lost += 1;
    for (const [name, one] of below) {
      if (this.files.size >= MAX_SITE_FILES)
        throw new DavitError('job/artifacts', `pages: a site has at most ${MAX_SITE_FILES} files.`);
      this.files.set(`${path}/${name}`, one);
    }
  }

  /** Except for a folder that contains the link itself: that would be endless. */
  #filesBelow(folder: string, link: string): [string, SiteFile][] {
    if (folder === '' || link.startsWith(`${folder}/`)) return [];
    return [...this.files].flatMap(([path, file]): [string, SiteFile][] =>
      path.startsWith(`${folder}/`) ? [[path.slice(folder.length + 1), file]] : [],
    );
  }
}
