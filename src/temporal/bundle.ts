/** The workflow bundle, built once a version of the code and kept in the cache: webpack costs a second and 200 MB. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const ROOT = join(import.meta.dirname, '..', '..');
/** All that a workflow may import of davit's own. */
const SOURCES = ['workflows', 'src/plan', 'src/utils'];
/** What stands around each workflow. */
export const INTERCEPTORS = [join(ROOT, 'workflows', 'interceptors.ts')];

/** Path of the bundle for the code as it is on the disk; builds it when the cache has none. `cache`: a folder. */
export async function workflowBundle(cache: string): Promise<{ codePath: string }> {
  const folder = join(cache, 'bundles');
  const codePath = join(folder, `${await contentHash()}.js`);
  if (await exists(codePath)) return { codePath };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    workflowInterceptorModules: INTERCEPTORS,
    logger: new DefaultLogger('WARN'),
  });
  await mkdir(folder, { recursive: true });
  // Two processes may build at once: each writes its own file, the name is taken by whoever is last, the bytes are equal.
  const half = `${codePath}.${process.pid}.${Date.now()}`;
  await writeFile(half, code);
  await rename(half, codePath);
  return { codePath };
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
    () => false, // not there, or not readable: it is built anew, and that says why it cannot be
  );
