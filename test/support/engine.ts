/** Real engines for tests: the machine's own, and a second one of its own for what must not touch the first (a swarm). */
import { randomBytes } from 'node:crypto';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';

export const MAIN_ENGINE = 'unix:///var/run/docker.sock';
/** A static busybox with `/bin/sh`, on every machine that has been set up. */
export const HELPER_IMAGE = 'davit/helper:1';

/** The machine's engine. Rejects when it does not answer: tests of real parts fail, they do not skip. */
export async function mainEngine(): Promise<Engine> {
  const engine = await dockerEngine({ address: MAIN_ENGINE });
  await engine.info();
  return engine;
}

/** Names and labels of one test run, and the removal of everything that carries them. */
export function testScope(engine: Engine): {
  name(what: string): string;
  labels: Record<string, string>;
  clean(): Promise<void>;
} {
  const id = randomBytes(4).toString('hex');
  const labels = { 'davit.test': id };
  return {
    name: (what) => `davit-test-${id}-${what}`,
    labels,
    async clean() {
      for (const { id: container } of await engine.listContainers(labels))
        await engine.removeContainer(container);
      for (const { name } of await engine.listVolumes(labels)) await engine.removeVolume(name);
      for (const { name } of await engine.listNetworks(labels)) await engine.removeNetwork(name);
    },
  };
}
