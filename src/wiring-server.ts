/** Creates the server's adapters: stores on its own disk, and secret references resolved on this machine. */
import { diskStores, type DiskStores } from './adapters/disk/index.ts';
import { deriveSealKey, localSecrets } from './adapters/secrets/index.ts';
import { forgeRefs } from './adapters/forge/index.ts';
import { cloneProtocols } from './adapters/git/clone-protocols.ts';
import { gitSource } from './adapters/git/index.ts';
import { uploadPack } from './adapters/git/upload-pack.ts';
import type { ForgeRefs, Secrets, Source, UploadPack } from './adapters/ports.ts';
import { readEnvSecret } from './config.ts';

export interface ServerPorts extends DiskStores {
  secrets: Pick<Secrets, 'resolve'>;
  source: Pick<Source, 'head'>;
  forge: ForgeRefs;
  uploadPack: UploadPack;
}

/** Creates `dataDir` if it is missing, mode 0700. Rejects with a coded error of the disk. */
export async function wireServer(options: {
  dataDir: string;
  workerToken: string;
  installation: { projects: readonly { clone_url?: string | undefined }[] };
}): Promise<ServerPorts> {
  const stores = await diskStores(options.dataDir);
  const secrets = localSecrets({ sealKey: deriveSealKey(options.workerToken), readEnv: readEnvSecret });
  const git = uploadPack();
  return {
    ...stores,
    close: async () => {
      await git.close();
      await stores.close();
    },
    uploadPack: git,
    secrets,
    forge: forgeRefs({ secrets }),
    source: gitSource({ protocols: cloneProtocols(options.installation.projects) }),
  };
}
