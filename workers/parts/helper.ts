/** Brings the helper image to this worker's engine. */
import { ensureHelperImage } from '../../src/adapters/helper-image.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import type { WorkerPorts } from '../../src/wiring.ts';

export interface HelperSource {
  engine: Engine;
  ports: Pick<WorkerPorts, 'registries' | 'facts'>;
  /** Folders that are searched for a busybox. */
  path: readonly string[];
}

/** Returns a function that makes sure of the image; callers that come together wait for one look together. */
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
