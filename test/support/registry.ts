/**
 * A real registry for one test: Debian's `docker-registry`, on a free port of the loopback, in a temporary
 * folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { CERTIFICATE_NAME, type RegistryAuthority } from '../../src/local/setup/registry-options.ts';
import { registryConfig } from '../../src/local/setup/registry.ts';
import { freePort } from './port.ts';

const READY_MS = 15_000;
/** The account of a registry with `auth: true`; the line is bcrypt of its password. */
export const REGISTRY_USER = { username: 'davit', password: 'geheim' };
const HTPASSWD = 'davit:$2b$04$DJEpx01UGB44Fs3LlqWw3uIwL6d.kTQgxhQ/OIBnINgMohUcjzZba\n';

export interface TestRegistry {
  /** `127.0.0.1:PORT` */
  host: string;
  /** Ends the process and keeps port and data: an outage. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRegistryOptions {
  /** With the account REGISTRY_USER. */
  auth?: boolean;
  /** With the tokens of a server. */
  tokens?: RegistryAuthority;
}

export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, 'htpasswd'), HTPASSWD);
  const { tokens } = options;
  if (tokens) {
    await writeFile(join(folder, CERTIFICATE_NAME), tokens.certificate);
    const port = Number(new URL(`http://${host}`).port);
    await writeFile(join(folder, 'config.yml'), stringify(registryConfig(folder, port, tokens)));
  } else await writeFile(join(folder, 'config.yml'), config(folder, host, options.auth === true));
  let ended: (() => Promise<void>) | undefined = await run(folder, host);
  const pause = async (): Promise<void> => {
    await ended?.();
    ended = undefined;
  };
  return {
    host,
    pause,
    async resume() {
      ended ??= await run(folder, host);
    },
    async stop() {
      await pause();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const config = (folder: string, host: string, auth: boolean): string => `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${folder}/data }, delete: { enabled: true } }
http: { addr: "${host}" }
${auth ? `auth: { htpasswd: { realm: davit, path: ${folder}/htpasswd } }\n` : ''}`;

async function run(folder: string, host: string): Promise<() => Promise<void>> {
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const reply = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (reply) break;
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`no registry at ${host}`);
    await delay(50);
  }
  return async () => {
    child.kill('SIGKILL');
    await gone;
  };
}
