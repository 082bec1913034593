/** Starts and stops `davit up` in the background. */
import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { Arch } from '../../plan/model/ids.ts';
import type { RunFile } from '../../server/api.ts';
import { CODE_EXTENSION } from '../../utils/code-extension.ts';
import { endProcess } from './exec.ts';
import { stopStaleProcesses } from './stale-processes.ts';
import { lockOwner } from './lock.ts';
import { nodeEnvironment, SMALL_HEAP } from './memory.ts';
import { logPath } from './managed-process.ts';
import { liveRun } from './run-file.ts';
import { readUpMessage, type UpMessage } from './ipc.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'cli', `main${CODE_EXTENSION}`);
/** Another `up` may be building Temporal. */
const OTHER_START_MS = 30 * 60_000;
const STOP_GRACE_MS = 40_000;
const POLL_MS = 100;

export interface DetachOptions {
  arches?: readonly Arch[] | undefined;
  swarm: { make: boolean; use: boolean };
  separate?: boolean;
  /** Called with each line of progress during the start. */
  onLine(line: string): void;
}

/**
 * The davit that already runs, or a new one once it is ready. Rejects with the error of the background
 * process.
 */
export async function upDetached(settings: Settings, options: DetachOptions): Promise<RunFile> {
  const there = await liveRun(settings);
  if (there) return there;
  const message = await startDetached(settings, options);
  if (message.kind === 'failed' && message.code !== 'local/already-up')
    throw new DavitError(message.code, message.message, { hint: message.hint });
  // Another process is starting davit now: wait for that one.
  const deadline = Date.now() + (message.kind === 'failed' ? OTHER_START_MS : 10_000);
  for (;;) {
    const run = await liveRun(settings);
    if (run) return run;
    if (Date.now() > deadline || (await lockOwner(settings.home)) === undefined)
      throw new DavitError(
        'local/not-started',
        `davit did not start. See its log: ${logPath(settings.home, 'up')}`,
      );
    await delay(POLL_MS);
  }
}

async function startDetached(settings: Settings, options: DetachOptions): Promise<UpMessage> {
  const log = logPath(settings.home, 'up');
  await mkdir(join(settings.home, 'log'), { recursive: true, mode: 0o700 });
  const file = await open(log, 'a', 0o600);
  try {
    const flags = [
      ...(options.arches ? ['--arch', options.arches.join(',')] : []),
      // The caller has asked.
      '--yes',
      ...(options.swarm.make ? ['--swarm'] : []),
      ...(options.swarm.use ? ['--use-swarm'] : []),
      ...(options.separate ? ['--separate-processes'] : []),
    ];
    const child = spawn(process.execPath, [...SMALL_HEAP, MAIN, 'up', ...flags], {
      cwd: settings.home,
      detached: true,
      env: childEnvironment({
        ...nodeEnvironment(settings),
        DAVIT_HOME: settings.home,
        DAVIT_CACHE: settings.cache,
        DOCKER_HOST: settings.dockerHost,
        DOCKER_CERT_PATH: settings.dockerCertPath,
      }),
      stdio: ['ignore', file.fd, file.fd, 'ipc'],
    });
    const message = await new Promise<UpMessage>((resolve) => {
      const failed = (how: string): void =>
        resolve({
          kind: 'failed',
          code: 'local/not-started',
          message: `davit up ${how}.`,
          hint: `See its log: ${log}`,
        });
      child.on('message', (value) => {
        const received = readUpMessage(value);
        if (received?.kind === 'line') options.onLine(received.text);
        else if (received) resolve(received);
      });
      child.once('exit', (code, signal) => failed(`ended (${signal ?? code ?? 0})`));
      child.once('error', (error) => failed(`could not be started: ${error.message}`));
    });
    if (child.connected) child.disconnect();
    child.unref();
    return message;
  } finally {
    await file.close();
  }
}

/** Stops the davit of this home folder. False if nothing was running. */
export async function down(settings: Settings): Promise<boolean> {
  const owner = await lockOwner(settings.home);
  if (owner !== undefined) await endProcess(owner, STOP_GRACE_MS);
  const left = await stopStaleProcesses(settings);
  return owner !== undefined || left > 0;
}
