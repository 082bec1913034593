/**
 * The embedded registry as a container, if the machine has no registry program. It listens only on the
 * loopback.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { DEFAULT_ENGINE, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import {
  logPath,
  RANKS,
  until,
  type ManagedProcess,
  type RunningProcess,
} from '../process/managed-process.ts';
import { TOKEN_ISSUER, TOKEN_SERVICE } from '../../server/registry/token-path.ts';
import { CERTIFICATE_NAME, type RegistryAuthority, type RegistryOptions } from './registry-options.ts';
import { responds } from '../process/run-file.ts';

export const REGISTRY_IMAGE = 'registry:2.8.3';
const INNER_PORT = 5000;
const INNER_CERTIFICATE = '/etc/davit/registry-cert.pem';
const STOP_S = 5;

const authEnvironment = ({ realm }: RegistryAuthority): string[] => [
  'REGISTRY_AUTH=token',
  `REGISTRY_AUTH_TOKEN_REALM=${realm}`,
  `REGISTRY_AUTH_TOKEN_SERVICE=${TOKEN_SERVICE}`,
  `REGISTRY_AUTH_TOKEN_ISSUER=${TOKEN_ISSUER}`,
  `REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE=${INNER_CERTIFICATE}`,
];

/** Requires an engine on this machine, because the registry is reached on its loopback. */
export function containerProcess(settings: Settings, options: RegistryOptions): ManagedProcess {
  const address = settings.dockerHost;
  if (!address.startsWith('unix://'))
    throw new DavitError('local/no-registry', `The engine at ${address} is not on this machine.`);
  const docker = new Docker({ socketPath: address.slice('unix://'.length) || DEFAULT_ENGINE });
  const name = `davit-${options.installation.slice(0, 8)}-registry`;
  return {
    name: 'registry',
    log: logPath(settings.home, 'registry'),
    rank: RANKS.base,
    async start() {
      await remove(docker, name);
      await mkdir(join(settings.home, 'registry'), { recursive: true, mode: 0o700 });
      const certificate = join(settings.home, CERTIFICATE_NAME);
      if (options.auth) await writeFile(certificate, options.auth.certificate);
      const container = await docker.createContainer({
        name,
        Image: REGISTRY_IMAGE,
        Env: [
          'REGISTRY_STORAGE_DELETE_ENABLED=true',
          'OTEL_TRACES_EXPORTER=none',
          ...(options.auth ? authEnvironment(options.auth) : []),
        ],
        Labels: { 'davit.installation': options.installation, 'davit.kind': 'registry' },
        ExposedPorts: { [`${INNER_PORT}/tcp`]: {} },
        HostConfig: {
          CapDrop: ['NET_RAW'],
          SecurityOpt: ['no-new-privileges'],
          Binds: [
            `${join(settings.home, 'registry')}:/var/lib/registry`,
            ...(options.auth ? [`${certificate}:${INNER_CERTIFICATE}:ro`] : []),
          ],
          PortBindings: {
            [`${INNER_PORT}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(options.port) }],
          },
          LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
        },
      });
      await container.start();
      return running(docker, name, container);
    },
    ready: async (_running, signal) => {
      await until(() => responds(`http://127.0.0.1:${options.port}/v2/`), signal);
      return `127.0.0.1:${options.port} (${REGISTRY_IMAGE})`;
    },
  };
}

function running(docker: Docker, name: string, container: Docker.Container): RunningProcess {
  return {
    exited: container.wait().then(
      () => 'ended',
      () => 'is gone', // the engine or the container is gone: the supervisor starts it again
    ),
    readyReported: Promise.resolve(),
    stop: () => remove(docker, name),
  };
}

async function remove(docker: Docker, name: string): Promise<void> {
  const container = docker.getContainer(name);
  try {
    await container.stop({ t: STOP_S });
  } catch {
    // It does not exist or is not running.
  }
  try {
    await container.remove({ force: true, v: true });
  } catch {
    // It does not exist.
  }
}
