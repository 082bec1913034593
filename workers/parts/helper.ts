/** Loads the helper image onto this worker's engine. */
import { ensureHelperImage } from '../../src/adapters/helper-image.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import type { WorkerPorts } from '../../src/wiring.ts';

export interface HelperSource {
  engine: Engine;
  ports: Pick<WorkerPorts, 'registries' | 'facts'>;
  /** Folders to search for a busybox. */
  path: readonly string[];
}

/** Returns a function that ensures the image; concurrent callers wait for one check. */
export function helperEnsurer({ engine, ports, path }: HelperSource): () => Promise<void> {
  const name = ports.facts.config.helper_image;
  let running: Promise<void> | undefined;
  const ensure = async (): Promise<void> => {
    const [info, auth] = await Promise.all([engine.info(), ports.registries.authFor(name)]);
    await ensureHelperImage(engine, info, { name, path, auth });
  };
  return () => {
    running ??= ensure().finally(() => {
      running = undefined;
    });
    return running;
  };
}
