/** From an engine's address to a connection: certificates read, tunnel started. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../../errors.ts';
import { printable } from '../../text.ts';
import { parseEngineAddress } from './address.ts';
import { EngineApi, type ModemTarget } from '../api.ts';
import { SshTunnel } from './ssh.ts';

export interface EngineOptions {
  /** `unix://PATH`, `tcp://HOST:PORT`, `ssh://[USER@]HOST[:PORT]` */
  address: string;
  /** Folder with ca.pem, cert.pem and key.pem, for tcp. */
  certPath?: string;
  /** File of ssh host keys that are trusted; the user's own when absent. */
  knownHosts?: string;
  /** For ssh: ports of this machine's loopback that the engine gets on its own loopback (the registry). */
  reversePorts?: number[];
}
export interface Connection {
  api: EngineApi;
  close(): Promise<void>;
}

/** Rejects with `engine/address`, `engine/untrusted`; whether the engine answers shows at the first call. */
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
  const { knownHosts, reversePorts = [] } = options;
  const tunnel = await SshTunnel.create({ address, shown, knownHosts, reversePorts });
  return {
    api: new EngineApi(shown, { socketPath: tunnel.socketPath }, () => tunnel.assure()),
    close: () => tunnel.close(),
  };
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
        `Cannot read ${join(folder, name)}, a certificate for the engine.`,
        {
          hint: 'The folder holds ca.pem, cert.pem and key.pem, as Docker has them (DOCKER_CERT_PATH).',
          cause,
        },
      );
    }
  };
  return { ca: [await read('ca.pem')], cert: await read('cert.pem'), key: await read('key.pem') };
}
