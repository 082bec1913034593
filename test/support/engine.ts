/** Real engines for tests: the machine's own, and a separate one for what must not touch it (a swarm). */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { unmountBelow } from './unmount.ts';

export const MAIN_ENGINE = 'unix:///var/run/docker.sock';
/** A static busybox with `/bin/sh`, on every machine after setup. */
export const HELPER_IMAGE = 'davit/helper:1';

/**
 * The machine's engine. Rejects if it does not respond: tests of real parts fail instead of being skipped.
 */
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

export interface SwarmEngine {
  /** `unix://…`, for `dockerEngine` and `swarmTarget`. */
  address: string;
  engine: Engine;
  stop(): Promise<void>;
}

const READY_MS = 60_000;
const STOP_MS = 30_000;
const command = promisify(execFile);

/**
 * A second dockerd that is a swarm of one node, in its own folders and network namespace, with the helper
 * image: it changes nothing on the machine and its engine, and the services' published ports are reachable in
 * that namespace only.
 */
export async function startSwarmEngine(): Promise<SwarmEngine> {
  const { address, stop } = await startOwnEngine();
  try {
    const engine = await dockerEngine({ address });
    const ready = performance.now() + READY_MS;
    while (!(await engine.info().catch(() => undefined))) {
      if (performance.now() > ready) throw new Error(`no engine at ${address}`);
      await delay(100);
    }
    await command('sh', ['-c', `docker save ${HELPER_IMAGE} | docker -H ${address} load`]);
    await command('docker', ['-H', address, 'swarm', 'init', '--advertise-addr', '127.0.0.1']);
    return { address, engine, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A dockerd that ends with this process, however that ends. */
async function startOwnEngine(): Promise<{ address: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-engine-'));
  const address = `unix://${folder}/docker.sock`;
  const dockerd = ['dockerd', '-H', address, '--data-root', `${folder}/data`, '--exec-root', `${folder}/run`];
  const inside = `ip link set lo up && exec ${[...dockerd, '-p', `${folder}/pid`].join(' ')}`;
  const log = await open(join(folder, 'log'), 'w');
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'unshare', '--net', 'sh', '-c', inside], {
    stdio: ['ignore', log.fd, log.fd],
  });
  const gone = once(child, 'exit');
  await log.close();
  return {
    address,
    async stop() {
      await command('docker', ['-H', address, 'swarm', 'leave', '--force'], { timeout: STOP_MS }).catch(
        () => {},
      );
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await gone;
      clearTimeout(late);
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
