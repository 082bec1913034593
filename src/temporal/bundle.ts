/**
 * The workflow bundle. An image contains it beside the code; elsewhere it is built once per version of the
 * code and kept in the cache: webpack costs a second and 200 MB, and swc unpacks a native library into a
 * folder that must allow execution.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const ROOT = join(import.meta.dirname, '..', '..');
/** All of davit that a workflow may import. */
const SOURCES = ['workflows', 'src/plan', 'src/utils'];
/** They wrap each workflow. */
export const INTERCEPTORS = [join(ROOT, 'workflows', 'interceptors.ts')];

/** Where `scripts/bundle.ts` puts it when an image is built. */
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

/** Returns the path. */
async function buildBundle(folder: string, name: string): Promise<string> {
  const codePath = join(folder, name);
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    workflowInterceptorModules: INTERCEPTORS,
    logger: new DefaultLogger('WARN'),
  });
  await mkdir(folder, { recursive: true });
  // Two processes may build at once: each writes its own file, the last one takes the name, and the bytes are
  // equal.
  const partial = `${codePath}.${process.pid}.${Date.now()}`;
  await writeFile(partial, code);
  await rename(partial, codePath);
  return codePath;
}

/** Sources and the exact SDK: a bundle fits one version of @temporalio/worker only. */
async function contentHash(): Promise<string> {
  const hash = createHash('sha256');
  const sdk: unknown = createRequire(import.meta.url)('@temporalio/worker/package.json');
  hash.update(JSON.stringify(sdk));
  for (const folder of SOURCES) {
    const names = (await readdir(join(ROOT, folder), { recursive: true }))
      .filter((name) => name.endsWith('.ts'))
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
