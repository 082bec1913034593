/** Creates the server's adapters: stores on its own disk, and secret references resolved on this machine. */
import { diskStores, type DiskStores } from './adapters/disk/index.ts';
import { fileKeyRing } from './adapters/keys/key-ring.ts';
import { readingSecrets, serverSealer } from './adapters/secrets/index.ts';
import { forgeRefs } from './adapters/forge/index.ts';
import { cloneProtocols } from './adapters/git/clone-protocols.ts';
import { gitSource } from './adapters/git/index.ts';
import type { ForgeRefs, KeyRing, Sealer, Secrets, Source } from './adapters/ports.ts';
import { readEnvSecret } from './config.ts';

export interface ServerPorts extends DiskStores {
  secrets: Pick<Secrets, 'resolve'>;
  source: Pick<Source, 'head'>;
  forge: ForgeRefs;
  keys: KeyRing;
  sealer: Sealer;
}

/** Creates `dataDir` if it is missing, mode 0700. Rejects with a coded error of the disk. */
export async function wireServer(options: {
  dataDir: string;
  /** Key file of the installation. */
  keyFile: string;
  /** Opens what workers of earlier versions have sealed. */
  workerToken?: string | undefined;
  installation: { projects: readonly { clone_url?: string | undefined }[] };
}): Promise<ServerPorts> {
  const stores = await diskStores(options.dataDir);
  const secrets = readingSecrets(readEnvSecret);
  const keys = fileKeyRing(options.keyFile);
  return {
    ...stores,
    secrets,
    keys,
    sealer: serverSealer(keys, options.workerToken),
    forge: forgeRefs({ secrets }),
    source: gitSource({ protocols: cloneProtocols(options.installation.projects) }),
  };
}
