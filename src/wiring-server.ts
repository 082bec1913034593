/** Creates the server's adapters: stores on its own disk, and secret references resolved on this machine. */
import { diskStores, type DiskStores } from './adapters/disk/index.ts';
import { fileKeyRing } from './adapters/keys/key-ring.ts';
import { publicKeys, signMessage } from './adapters/keys/proofs.ts';
import { readingSecrets, serverSealer } from './adapters/secrets/index.ts';
import { forgeRefs } from './adapters/forge/index.ts';
import { cloneOptions } from './adapters/git/clone-protocols.ts';
import { gitSource } from './adapters/git/index.ts';
import { uploadPack } from './adapters/git/upload-pack.ts';
import { PROOFS_RECORD } from './plan/model/records.ts';
import { readAuthority } from './adapters/authorities.ts';
import { RegistryHttp } from './adapters/registry/http.ts';
import { imageUsage, placeOf, removeImage, repositoriesOf, taggedImages } from './adapters/registry/usage.ts';
import type {
  ForgeRefs,
  KeyRing,
  OwnImages,
  RecordStore,
  Sealer,
  ServerProofs,
  Secrets,
  Source,
  UploadPack,
} from './adapters/ports.ts';
import { readEnvSecret } from './config.ts';

export interface ServerPorts extends DiskStores {
  secrets: Pick<Secrets, 'resolve'>;
  source: Pick<Source, 'head'>;
  forge: ForgeRefs;
  uploadPack: UploadPack;
  keys: KeyRing;
  proofs: ServerProofs;
  sealer: Sealer;
}

/** Creates `dataDir` if it is missing, mode 0700. Rejects with a coded error of the disk. */
export async function wireServer(options: {
  dataDir: string;
  /** Key file of the installation. */
  keyFile: string;
  /** Opens what workers of earlier versions have sealed. */
  workerToken?: string | undefined;
  installation: { projects: Parameters<typeof cloneOptions>[0] };
}): Promise<ServerPorts> {
  const stores = await diskStores(options.dataDir);
  const secrets = readingSecrets(readEnvSecret);
  const git = uploadPack(cloneOptions(options.installation.projects));
  const keys = fileKeyRing(options.keyFile);
  const requiredFrom = await proofsRequiredFrom(stores.records, Date.now());
  return {
    ...stores,
    close: async () => {
      await git.close();
      await stores.close();
    },
    uploadPack: git,
    secrets,
    keys,
    proofs: {
      sign: (message) => signMessage(keys, message),
      facts: () => ({ keys: publicKeys(keys), requiredFrom }),
    },
    sealer: serverSealer(keys, options.workerToken),
    forge: forgeRefs({ secrets }),
    source: gitSource(cloneOptions(options.installation.projects)),
  };
}

/** `sign`: a token of the registry for a scope. */
export function wireOwnImages(own: {
  host: string;
  insecure: boolean;
  caFile?: string | undefined;
  sign(scope: string): string;
}): OwnImages {
  const http = async (): Promise<RegistryHttp> => {
    const ca = own.caFile === undefined ? undefined : await readAuthority(own.caFile);
    return new RegistryHttp({ ...own, ca, patienceMs: OWN_REGISTRY_MS });
  };
  return {
    usage: async () => imageUsage(await http()),
    repositories: async () =>
      (await repositoriesOf(await http())).map((name) => ({ name, ...placeOf(name) })),
    tags: async (repository) => taggedImages(await http(), repository),
    remove: async (repository, digest) => removeImage(await http(), repository, digest),
  };
}
/** A person waits for it. */
const OWN_REGISTRY_MS = 3_000;

/** As long as messages of the version before may be on their way, and its control workers may run. */
const UPGRADE_MS = 24 * 3_600_000;

/** Decided once, at the first start of a version that proves: an installation that has run before gets some time. */
async function proofsRequiredFrom(records: RecordStore, now: number): Promise<number> {
  const known = await records.get<{ from: number }>(PROOFS_RECORD);
  if (known) return known.from;
  const hasRun = (await records.list('claims', 1)).length > 0;
  const { value } = await records.putIfAbsent(PROOFS_RECORD, { from: hasRun ? now + UPGRADE_MS : 0 });
  return value.from;
}
