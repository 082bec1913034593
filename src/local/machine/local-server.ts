/** The server of this machine: by its installation file, its keys and its home folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporalAddress, type Settings } from '../../config.ts';
import { processLogger, serverLog } from '../../server/log.ts';
import { startRegistryFront } from '../../server/registry/front.ts';
import { loopbackOf, type RunningServer, startServer } from '../../server/start.ts';
import { temporalSecurity } from '../../temporal/security.ts';
import { readInstallation } from '../setup/installation.ts';
import { keptPorts } from '../process/ports.ts';
import { ensureKeys } from '../setup/keys.ts';
import { ensureRegistryCertificate, portOf, readSharedRegistry } from '../setup/shared-registry.ts';
import { readWorkersFile } from '../setup/workers-file.ts';

export async function startLocalServer(
  settings: Settings,
  options: { port?: number; host?: string },
): Promise<RunningServer> {
  const { installation, path } = await readInstallation(settings);
  const { installation: installationId, registryKey, ...tokens } = await ensureKeys(settings);
  const shared = await sharedOf(settings);
  const server = await startServer({
    settings,
    installation,
    installationPath: path,
    installationId,
    ...tokens,
    ...(settings.workersFile !== undefined && { workers: await readWorkersFile(settings.workersFile) }),
    keyFile: settings.keyFile,
    registry: settings.registry,
    ownRegistry: settings.ownRegistry
      ? {
          host: settings.ownRegistry,
          key: registryKey,
          ...(shared && { ca: shared.ca, formerly: [shared.registry] }),
        }
      : undefined,
    helperImage: settings.helperImage,
    temporal: {
      address: temporalAddress(settings),
      namespace: settings.temporalNamespace,
      security: await temporalSecurity(settings),
    },
    dataDir: join(settings.home, 'data'),
    host: options.host ?? installation.listen.host,
    port: options.port ?? installation.listen.port,
  });
  if (!shared) return server;
  const tokensName = installation.tls && installation.url ? new URL(installation.url).hostname : undefined;
  try {
    const front = await startRegistryFront({
      host: shared.host,
      listen: { host: shared.listen, port: portOf(shared.host) },
      tls: shared.tls,
      registry: `http://${shared.registry}`,
      tokens: loopbackOf(server.url),
      tokensName,
      log: serverLog(processLogger(settings.logLevel), []),
    });
    return {
      ...server,
      close: async () => {
        await front.close();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

interface Shared {
  host: string;
  listen: string;
  tls: { cert: string; key: string };
  /** PEM */
  ca: string;
  /** `HOST:PORT` of the registry itself, on the loopback. */
  registry: string;
}

/** The registry of `davit up`, if other machines have it too. */
async function sharedOf(settings: Settings): Promise<Shared | undefined> {
  const shared = await readSharedRegistry(settings);
  if (!shared || settings.ownRegistry !== shared.host) return undefined;
  const { registry } = await keptPorts(settings);
  if (registry === undefined) return undefined;
  const { ca, ...tls } = await ensureRegistryCertificate(settings, shared);
  return { ...shared, tls, ca: await readFile(ca, 'utf8'), registry: `127.0.0.1:${registry}` };
}
