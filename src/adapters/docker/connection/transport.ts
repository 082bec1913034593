/** Connects to an engine's address: reads certificates, starts the tunnel. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../../errors.ts';
import { printable } from '../../text.ts';
import { parseEngineAddress, type SshAddress } from './address.ts';
import { hostAlias, pinnedKey } from './host-keys.ts';
import { EngineApi, type ModemTarget } from '../api.ts';
import { SshTunnel } from './ssh.ts';

export interface EngineOptions {
  /** `unix://PATH`, `tcp://HOST:PORT`, `ssh://[USER@]HOST[:PORT]` */
  address: string;
  /** Folder with ca.pem, cert.pem and key.pem, for tcp. */
  certPath?: string;
  /** File of trusted ssh host keys; the user's own if absent. */
  knownHosts?: string;
  /** davit's own file of pinned keys: where it names the host, it alone counts. */
  pinnedHosts?: string;
  /** For ssh: ports of this machine's loopback that are forwarded to the engine's loopback (the registry). */
  reversePorts?: number[];
  /** For ssh: a forward that does not work, for the log. */
  onProblem?: (text: string) => void;
}
export interface Connection {
  api: EngineApi;
  close(): Promise<void>;
}

/** Rejects with `engine/address`, `engine/untrusted`; the first call shows whether the engine responds. */
export async function connect(options: EngineOptions): Promise<Connection> {
  const address = parseEngineAddress(options.address, options.certPath !== undefined);
  const shown = printable(options.address);
  const direct = (target: ModemTarget): Connection => ({
    api: new EngineApi(shown, target),
    close: async () => {},
  });
  if (address.kind === 'unix') return direct({ socketPath: address.path });
  if (address.kind === 'tcp') {
    const target = { host: address.host, port: address.port };
    if (!address.tls) return direct({ ...target, protocol: 'http' });
    return direct({ ...target, protocol: 'https', ...(await certificates(options.certPath)) });
  }
  const { reversePorts = [], onProblem } = options;
  const tunnel = await SshTunnel.create({
    address,
    shown,
    reversePorts,
    ...(onProblem && { onProblem }),
    ...(await hostKeys(options, address)),
  });
  return {
    api: new EngineApi(shown, { socketPath: tunnel.socketPath }, tunnel),
    close: () => tunnel.close(),
  };
}

/** Which file of ssh host keys counts for this host. */
async function hostKeys(
  { knownHosts, pinnedHosts }: EngineOptions,
  address: SshAddress,
): Promise<{ knownHosts?: string | undefined; hostKeyAlias?: string }> {
  if (pinnedHosts === undefined || !(await pinnedKey(pinnedHosts, address))) return { knownHosts };
  return { knownHosts: pinnedHosts, hostKeyAlias: hostAlias(address) };
}

async function certificates(
  folder: string | undefined,
): Promise<{ ca?: string[]; cert?: string; key?: string }> {
  if (folder === undefined) return {};
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (cause) {
      throw new DavitError(
        'engine/untrusted',
        `Cannot read ${join(folder, name)}, which is a certificate file for the engine.`,
        {
          hint: 'The folder must contain ca.pem, cert.pem and key.pem, as for Docker (DOCKER_CERT_PATH).',
          cause,
        },
      );
    }
  };
  return { ca: [await read('ca.pem')], cert: await read('cert.pem'), key: await read('key.pem') };
}
