/** The server of this machine: by its installation file, its keys and its home folder. */
import { join } from 'node:path';
import { temporalAddress, type Settings } from '../../config.ts';
import { type RunningServer, startServer } from '../../server/start.ts';
import { temporalSecurity } from '../../temporal/security.ts';
import { readInstallation } from '../setup/installation.ts';
import { ensureKeys } from '../setup/keys.ts';
import { readWorkersFile } from '../setup/workers-file.ts';

export async function startLocalServer(
  settings: Settings,
  options: { port?: number; host?: string },
): Promise<RunningServer> {
  const { installation, path } = await readInstallation(settings);
  const { installation: installationId, registryKey, ...tokens } = await ensureKeys(settings);
  return startServer({
    settings,
    installation,
    installationPath: path,
    installationId,
    ...tokens,
    ...(settings.workersFile !== undefined && { workers: await readWorkersFile(settings.workersFile) }),
    keyFile: settings.keyFile,
    registry: settings.registry,
    ownRegistry: settings.ownRegistry ? { host: settings.ownRegistry, key: registryKey } : undefined,
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
}
