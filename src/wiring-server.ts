/** Creates the server's adapters: stores on its own disk, and secret references resolved on this machine. */
import { diskStores, type DiskStores } from './adapters/disk/index.ts';
import { deriveSealKey, localSecrets } from './adapters/secrets/index.ts';
import { forgeRefs } from './adapters/forge/index.ts';
import { cloneOptions } from './adapters/git/clone-protocols.ts';
import { gitSource } from './adapters/git/index.ts';
import type { ForgeRefs, Secrets, Source } from './adapters/ports.ts';
import { readEnvSecret } from './config.ts';

export interface ServerPorts extends DiskStores {
  secrets: Pick<Secrets, 'resolve'>;
  source: Pick<Source, 'head'>;
  forge: ForgeRefs;
}

/** Creates `dataDir` if it is missing, mode 0700. Rejects with a coded error of the disk. */
export async function wireServer(options: {
  dataDir: string;
  workerToken: string;
  installation: { projects: Parameters<typeof cloneOptions>[0] };
}): Promise<ServerPorts> {
  const stores = await diskStores(options.dataDir);
  const secrets = localSecrets({ sealKey: deriveSealKey(options.workerToken), readEnv: readEnvSecret });
  return {
    ...stores,
    secrets,
    forge: forgeRefs({ secrets }),
    source: gitSource(cloneOptions(options.installation.projects)),
  };
}
