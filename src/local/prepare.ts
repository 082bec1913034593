/** Everything that a first `up` would fetch, build or install. */
import { ensureHelperImage } from '../adapters/helper-image.ts';
import type { Settings } from '../config.ts';
import { HELPER_IMAGE } from '../installation.ts';
import { ensureEngine } from './setup/docker.ts';
import { ensureEmulation } from './setup/emulation.ts';
import type { Progress } from './process/progress.ts';
import { ensureRegistryProgram } from './setup/registry.ts';
import { ensureTemporal } from './setup/temporal-binary.ts';

/** Resolves when it is there. Rejects with the first coded error. */
export async function prepare(settings: Settings, progress: Progress): Promise<void> {
  const engine = ensureEngine(settings, progress);
  await Promise.all([
    progress.step(
      'Temporal CLI',
      () => ensureTemporal(settings, progress),
      (path) => path,
    ),
    engine.then(async (local) => {
      // One after the other: two installations of packages at once would wait for each other's lock and fail.
      for (const one of await ensureEmulation(local, progress))
        if (one.how === 'none') progress.note(`${one.arch} cannot run on this machine: ${one.reason ?? ''}`);
      await progress.step(
        'helper image',
        () =>
          ensureHelperImage(local.engine, local.info, {
            name: settings.helperImage ?? HELPER_IMAGE,
            path: settings.path,
          }),
        (name) => name,
      );
      await progress.step(
        'registry',
        () => ensureRegistryProgram(settings, engine, progress),
        (name) => name,
      );
    }),
  ]);
  await (await engine).engine.close();
}
