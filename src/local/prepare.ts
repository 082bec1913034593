/** Downloads, builds and installs everything that a first `up` needs. */
import { ensureHelperImage } from '../adapters/helper-image.ts';
import type { Settings } from '../config.ts';
import { HELPER_IMAGE } from '../installation.ts';
import { ensureEngine } from './setup/docker.ts';
import { ensureEmulation } from './setup/emulation.ts';
import type { Progress } from './process/progress.ts';
import { ensureRegistryProgram } from './setup/registry.ts';
import { ensureTemporal } from './setup/temporal-binary.ts';

/** Resolves when everything is installed. Rejects with the first coded error. */
export async function prepare(settings: Settings, progress: Progress): Promise<void> {
  const engine = ensureEngine(settings, progress);
  await Promise.all([
    progress.step(
      'Temporal CLI',
      () => ensureTemporal(settings, progress),
      (path) => path,
    ),
    engine.then(async (local) => {
      // In sequence: parallel package installations would compete for the package manager's lock and fail.
      for (const one of await ensureEmulation(settings, local, progress))
        if (one.how === 'none')
          progress.note(`${one.arch} does not run on this machine: ${one.reason ?? ''}`);
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
