/**
 * The workflow bundle. An image and the npm package contain it beside the code; elsewhere it is built once per version of the
 * code and kept in the cache: webpack costs a second and 200 MB, and swc unpacks a native library into a
 * folder that must allow execution.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CODE_EXTENSION } from '../utils/code-extension.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** All of davit that a workflow may import. */
const SOURCES = ['workflows', 'src/plan', 'src/utils'];
/** They wrap each workflow. */
export const INTERCEPTORS = [join(ROOT, 'workflows', `interceptors${CODE_EXTENSION}`)];
const BUILD = join(import.meta.dirname, `build-bundle${CODE_EXTENSION}`);

/** Where `scripts/bundle.ts` writes it when an image or the package is built. */
const SHIPPED_BUNDLES = join(ROOT, 'bundles');

/** Path of the bundle for the code on the disk, which is built if necessary. Both parameters are folders. */
export async function workflowBundle(
  cache: string,
  shipped = SHIPPED_BUNDLES,
): Promise<{ codePath: string }> {
  const name = `${await contentHash()}.js`;
  for (const folder of [shipped, join(cache, 'bundles')])
    if (await exists(join(folder, name))) return { codePath: join(folder, name) };
  return { codePath: await buildBundle(join(cache, 'bundles'), name) };
}

/**
 * Returns the path. Built by a process of its own: webpack keeps 100 MB, and a worker lives for months.
 * Several may build at once: each writes a file of its own, the last one takes the name, and the bytes are
 * equal.
 */
async function buildBundle(folder: string, name: string): Promise<string> {
  const codePath = join(folder, name);
  await mkdir(folder, { recursive: true });
  const half = `${codePath}.${process.pid}.${Date.now()}`;
  await promisify(execFile)(process.execPath, [BUILD, half]);
  await rename(half, codePath);
  return codePath;
}

/** Sources and the exact SDK: a bundle fits one version of @temporalio/worker only. */
async function contentHash(): Promise<string> {
  const hash = createHash('sha256');
  const sdk: unknown = createRequire(import.meta.url)('@temporalio/worker/package.json');
  hash.update(JSON.stringify(sdk));
  for (const folder of SOURCES) {
    const names = (await readdir(join(ROOT, folder), { recursive: true }))
      .filter((name) => name.endsWith(CODE_EXTENSION))
      .sort();
    for (const name of names)
      hash.update(`${folder}/${name}\0`).update(await readFile(join(ROOT, folder, name)));
  }
  return hash.digest('hex').slice(0, 32);
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false, // missing or not readable: it is built, and a failure of that is reported
  );
