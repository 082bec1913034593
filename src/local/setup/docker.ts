/**
 * The container engine of this machine: used as it is, and started if needed. It is installed only on Debian and
 * Ubuntu, as root, where there is no docker program at all.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dockerEngine } from '../../adapters/docker/index.ts';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import { DEFAULT_ENGINE, pinnedHosts, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { outputTail, runCommand, which } from '../process/exec.ts';
import type { Change } from './changes.ts';
import { installRecorded, isDebianOrUbuntu, isRoot, packageChange } from './debian.ts';
import type { Progress } from '../process/progress.ts';
import { messageOf } from '../../utils/message.ts';
import { constant, retry } from '../../utils/retry.ts';

const START_MS = 60_000;
const POLL_MS = 100;
const PACKAGES = ['docker.io', 'iptables', 'iproute2', 'ca-certificates'];

export interface LocalEngine {
  engine: Engine;
  info: EngineInfo;
}

/** Connects to the engine once. Rejects with `engine/…`. */
export async function askEngine(settings: Settings): Promise<LocalEngine> {
  const engine = await dockerEngine({
    address: settings.dockerHost,
    certPath: settings.dockerCertPath,
    pinnedHosts: pinnedHosts(settings),
  });
  try {
    return { engine, info: await engine.info() };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/**
 * The engine, installed and started if it is missing and davit may do so. Rejects with `local/no-engine` or
 * `engine/…`.
 */
export async function ensureEngine(settings: Settings, progress: Progress): Promise<LocalEngine> {
  let first: unknown;
  try {
    return await askEngine(settings);
  } catch (error) {
    first = error; // reported below if the engine cannot be started
  }
  if (settings.dockerHost !== DEFAULT_ENGINE) throw first;
  if (!isRoot()) throw notUsable(await socketIsThere(), first);
  try {
    if (!(await which(settings, 'dockerd'))) {
      await refuseToInstall(settings);
      await installRecorded(settings, progress, PACKAGES);
    }
    return await startEngine(settings, progress);
  } catch (cause) {
    if (cause instanceof DavitError && cause.code === 'local/no-engine') throw cause;
    const why = messageOf(cause);
    throw new DavitError('local/no-engine', `No Docker engine at ${settings.dockerHost}: ${why}`, {
      cause,
    });
  }
}

/**
 * The engine, started if it only has to be started, or the packages that would have to be installed. Rejects like
 * `ensureEngine`.
 */
export async function foreseenEngine(
  settings: Settings,
  progress: Progress,
): Promise<{ local: LocalEngine } | { change: Change | undefined }> {
  try {
    return { local: await askEngine(settings) };
  } catch {
    // The reason follows below, where it cannot be started or installed.
  }
  const isMissing = settings.dockerHost === DEFAULT_ENGINE && !(await which(settings, 'dockerd'));
  if (!isMissing || !isRoot()) return { local: await ensureEngine(settings, progress) };
  await refuseToInstall(settings);
  return {
    change: await packageChange(PACKAGES, 'the container engine, which is then started and kept running'),
  };
}

/** Resolves where davit may install an engine. Rejects with `local/no-engine`, which says what to do. */
async function refuseToInstall(settings: Settings): Promise<void> {
  const client = await which(settings, 'docker');
  const refuse = (why: string, hint: string): DavitError =>
    new DavitError('local/no-engine', `No Docker engine responds at ${DEFAULT_ENGINE}. ${why}`, { hint });
  if (client !== undefined)
    throw refuse(
      `${client} is installed, so davit installs none.`,
      'Start the engine that belongs to it, or name one by DOCKER_HOST.',
    );
  if (!(await isDebianOrUbuntu()))
    throw refuse(
      'davit installs one on Debian and Ubuntu only.',
      'Install Docker (https://docs.docker.com/engine/install) or Podman, or name an engine by DOCKER_HOST.',
    );
}

function notUsable(socketThere: boolean, cause: unknown): DavitError {
  if (!socketThere)
    return new DavitError('local/no-engine', `No Docker engine at ${DEFAULT_ENGINE}.`, { cause });
  const hint =
    'Add this user to the group `docker` and log in again, or start the engine with: systemctl start docker';
  return new DavitError(
    'local/no-engine',
    `The Docker engine at ${DEFAULT_ENGINE} does not respond to this user.`,
    {
      hint,
      cause,
    },
  );
}

const socketIsThere = async (): Promise<boolean> => {
  try {
    return (await stat(DEFAULT_ENGINE.slice('unix://'.length))).isSocket();
  } catch {
    return false; // missing or not accessible: the same for this user
  }
};

async function startEngine(settings: Settings, progress: Progress): Promise<LocalEngine> {
  const systemd = await exists('/run/systemd/system');
  const log = join(settings.home, 'log', 'dockerd.log');
  progress.note(
    systemd
      ? 'The Docker engine is not running; starting it with: systemctl start docker'
      : `The Docker engine is not running; starting dockerd, which keeps running when davit stops. Log: ${log}`,
  );
  return progress.step('Docker engine: start', async () => {
    const ended = systemd ? await bySystemd() : await detached(settings, log);
    const policy = { retryable: () => !ended(), backoff: constant(POLL_MS), forMs: START_MS };
    try {
      return await retry(() => askEngine(settings), policy);
    } catch (error) {
      throw ended() ? new Error(`dockerd ended; see its log: ${log}`, { cause: error }) : error;
    }
  });
}

async function bySystemd(): Promise<() => boolean> {
  const done = await runCommand('systemctl', ['start', 'docker'], { timeoutMs: START_MS });
  if (done.code !== 0) throw new Error(`systemctl start docker: ${outputTail(done)}`);
  return () => false;
}

/** In its own session: it outlives davit, as containers and the swarm do. */
async function detached(settings: Settings, log: string): Promise<() => boolean> {
  const program = await which(settings, 'dockerd');
  if (!program) throw new Error('dockerd is not on the PATH.');
  await mkdir(join(settings.home, 'log'), { recursive: true, mode: 0o700 });
  const file = await open(log, 'a', 0o600);
  try {
    const child = spawn(program, [], { detached: true, stdio: ['ignore', file.fd, file.fd] });
    let over = false;
    child.on('exit', () => (over = true)).on('error', () => (over = true));
    child.unref();
    return () => over;
  } finally {
    await file.close();
  }
}

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch {
    return false; // it does not exist
  }
};
