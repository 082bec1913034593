/**
 * The embedded registry: on the loopback, with its data in `HOME/registry`. Engines trust 127.0.0.0/8 without
 * TLS.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { which } from '../process/exec.ts';
import type { Change } from './changes.ts';
import { installRecorded, mayInstall } from './debian.ts';
import type { LocalEngine } from './docker.ts';
import { logPath, RANKS, startProcess, until, type ManagedProcess } from '../process/managed-process.ts';
import type { Progress } from '../process/progress.ts';
import { CERTIFICATE_NAME, type RegistryAuthority, type RegistryOptions } from './registry-options.ts';
import { containerProcess, REGISTRY_IMAGE } from './registry-container.ts';
import { responds } from '../process/run-file.ts';
import { TOKEN_ISSUER, TOKEN_SERVICE } from '../../server/registry/token-path.ts';

const PROGRAMS = ['docker-registry', 'registry'];
/** Compressed, of one architecture. */
const REGISTRY_SIZE = '10 MB';
const PULL_MS = 60_000;
const GRACE_MS = 5_000;

/** The process for the supervisor. Rejects with `local/no-registry`. */
export async function registryProcess(
  settings: Settings,
  options: RegistryOptions,
  progress: Progress,
): Promise<ManagedProcess> {
  const found = await ensureRegistryProgram(settings, options.engine, progress);
  return found === REGISTRY_IMAGE
    ? containerProcess(settings, options)
    : programProcess(settings, found, options);
}

/**
 * Path of a program, else name of the image, else path from Debian's package. Rejects with
 * `local/no-registry`.
 */
export async function ensureRegistryProgram(
  settings: Settings,
  local: Promise<LocalEngine>,
  progress: Progress,
): Promise<string> {
  const program = await findProgram(settings);
  if (program) return program;
  const { engine } = await local;
  try {
    if (!(await engine.inspectImage(REGISTRY_IMAGE)))
      await progress.step(`${REGISTRY_IMAGE}: pull`, () =>
        engine.pullImage(REGISTRY_IMAGE, { signal: AbortSignal.timeout(PULL_MS) }),
      );
    return REGISTRY_IMAGE;
  } catch (cause) {
    if (!(await mayInstall()))
      throw new DavitError(
        'local/no-registry',
        `docker-registry is not on the PATH, and ${REGISTRY_IMAGE} cannot be pulled.`,
        { cause },
      );
  }
  try {
    await installRecorded(settings, progress, ['docker-registry']);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new DavitError('local/no-registry', `Cannot install docker-registry. ${why}`, { cause });
  }
  const installed = await findProgram(settings);
  if (installed) return installed;
  throw new DavitError('local/no-registry', 'docker-registry is installed, but is not on the PATH.');
}

/** What `ensureRegistryProgram` would change. `local`: undefined before there is an engine. */
export async function registryChanges(settings: Settings, local?: LocalEngine): Promise<Change[]> {
  if (await findProgram(settings)) return [];
  if (local && (await local.engine.inspectImage(REGISTRY_IMAGE))) return [];
  const instead = (await mayInstall())
    ? ". Where it cannot be pulled, Debian's package docker-registry, 5 MB"
    : '';
  const why = `the registry of this machine${instead}`;
  return [{ act: 'download', what: `image ${REGISTRY_IMAGE}`, size: REGISTRY_SIZE, why }];
}

async function findProgram(settings: Settings): Promise<string | undefined> {
  for (const name of PROGRAMS) {
    const path = await which(settings, name);
    if (path) return path;
  }
  return undefined;
}

function programProcess(
  settings: Settings,
  program: string,
  { port, auth }: Pick<RegistryOptions, 'port' | 'auth'>,
): ManagedProcess {
  const config = join(settings.home, 'registry.yml');
  const log = logPath(settings.home, 'registry');
  return {
    name: 'registry',
    log,
    rank: RANKS.base,
    async start() {
      await mkdir(join(settings.home, 'registry'), { recursive: true, mode: 0o700 });
      if (auth) await writeFile(join(settings.home, CERTIFICATE_NAME), auth.certificate);
      await writeFile(config, stringify(registryConfig(settings.home, port, auth)), { mode: 0o600 });
      return startProcess({ name: 'registry', program, args: ['serve', config], log, graceMs: GRACE_MS });
    },
    ready: async (_running, signal) => {
      await until(() => responds(`http://127.0.0.1:${port}/v2/`), signal);
      return `127.0.0.1:${port}`;
    },
  };
}

/** Configuration of distribution/distribution 2.8. */
export const registryConfig = (home: string, port: number, auth?: RegistryAuthority): object => ({
  version: 0.1,
  // A client asks without a token first: each of these refusals is a warning.
  log: { level: auth ? 'error' : 'warn', accesslog: { disabled: true } },
  storage: {
    filesystem: { rootdirectory: join(home, 'registry') },
    delete: { enabled: true },
    // Incomplete uploads are removed after a week.
    maintenance: { uploadpurging: { enabled: true, age: '168h', interval: '24h', dryrun: false } },
  },
  ...(auth && {
    auth: {
      token: {
        realm: auth.realm,
        service: TOKEN_SERVICE,
        issuer: TOKEN_ISSUER,
        rootcertbundle: join(home, CERTIFICATE_NAME),
      },
    },
  }),
  http: { addr: `127.0.0.1:${port}`, headers: { 'X-Content-Type-Options': ['nosniff'] } },
});
