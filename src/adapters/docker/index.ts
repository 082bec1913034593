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
import { connect, type EngineOptions } from './connection/transport.ts';

export type { EngineOptions } from './connection/transport.ts';

const PATIENCE: RegistryRetry = { pullMs: 15_000, pushMs: 240_000 };
const CAN_RUN_MS = 60_000;

/**
 * Connects to an engine. Rejects with `engine/address` or `engine/untrusted` for an address that cannot be used; an engine
 * that is not there rejects each call with `engine/unreachable`, so a worker may start before its board.
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
      const [info, version] = await Promise.all([
        api.json({ method: 'GET', path: path`/info`, what: 'ask the engine what it is' }),
        api.json({ method: 'GET', path: path`/version`, what: 'ask the engine for its version' }),
      ]);
      return engineInfoOf(info, version, api.address);
    },
    canRun: (platform, image) => canRun(part, platform, image),
    build: (request) => build(api, request),
    logs: (name, how) => containerLogs(api, name, how),
    close,
  };
}

/** Runs `true` in a container of the image; a machine that cannot run its architecture fails to. */
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
      logMaxBytes: 1024 * 1024,
    });
    await part.startContainer(name);
    const state = await part.waitContainer(name, AbortSignal.timeout(CAN_RUN_MS));
    return state.exitCode === 0;
  } catch (error) {
    // The kernel said so at once: the answer, not a failure. All else is one.
    if (error instanceof DavitError && error.code === 'engine/platform') return false;
    throw error;
  } finally {
    await part.removeContainer(name);
  }
}
