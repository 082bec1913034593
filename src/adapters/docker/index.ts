/** The container engine: port `Engine` over one Docker engine. */
import { randomUUID } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { path } from './api.ts';
import { build } from './build/build.ts';
import { containers } from './containers.ts';
import { images, type RegistryRetry } from './images.ts';
import { containerLogs } from './logs.ts';
import { engineInfoOf } from './response-schemas.ts';
import { resources } from './resources.ts';
import { watch } from './watch.ts';
import { connect, type EngineOptions } from './connection/transport.ts';

export type { EngineOptions } from './connection/transport.ts';

const PATIENCE: RegistryRetry = { pullMs: 15_000, pushMs: 240_000 };
const CAN_RUN_MS = 60_000;

/**
 * Connects to an engine. Rejects with `engine/address` or `engine/untrusted` for an address that cannot be
 * used. If an engine is unreachable, each call rejects with `engine/unreachable`, so a worker may start
 * before its board.
 */
export async function dockerEngine(
  options: EngineOptions & { registryPatience?: Partial<RegistryRetry> },
): Promise<Engine> {
  const { api, close } = await connect(options);
  const part = containers(api);
  return {
    ...part,
    ...images(api, { ...PATIENCE, ...options.registryPatience }),
    ...resources(api),
    async info() {
      const [info, version, traits] = await Promise.all([
        api.json({ method: 'GET', path: path`/info`, action: 'read the information of the engine' }),
        api.json({ method: 'GET', path: path`/version`, action: 'read the version of the engine' }),
        api.traits(),
      ]);
      return engineInfoOf(info, version, { ...traits, address: api.address });
    },
    canRun: (platform, image) => canRun(part, platform, image),
    build: (request) => build(api, request),
    logs: (name, options) => containerLogs(api, name, options),
    watch: (signal) => watch(api, signal),
    close,
  };
}

/** Runs `true` in a container of the image; it fails on a machine that cannot run that architecture. */
async function canRun(
  part: Pick<Engine, 'createContainer' | 'startContainer' | 'waitContainer' | 'removeContainer'>,
  platform: string,
  image: string,
): Promise<boolean> {
  const name = `davit-can-run-${randomUUID()}`;
  const labels = { 'davit.kind': 'helper' };
  try {
    await part.createContainer({
      name,
      image,
      platform,
      labels,
      entrypoint: ['true'],
      volumes: [],
      network: { mode: 'none' },
      noNewPrivileges: true,
      logMaxBytes: 1024 * 1024,
    });
    await part.startContainer(name);
    const state = await part.waitContainer(name, AbortSignal.timeout(CAN_RUN_MS));
    return state.exitCode === 0;
  } catch (error) {
    // The kernel refused the architecture: that is the result. Anything else is a failure.
    if (error instanceof DavitError && error.code === 'engine/platform') return false;
    throw error;
  } finally {
    await part.removeContainer(name);
  }
}
