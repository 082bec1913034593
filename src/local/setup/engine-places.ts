/** Where the engine of this machine may be: the docker context of its user, and the sockets of known programs. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DEFAULT_ENGINE, type EngineSources } from '../../config.ts';
import { messageOf } from '../../utils/message.ts';
import { readIfThere } from '../process/files.ts';

export interface EnginePlace {
  address: string;
  certPath?: string;
  /** For people: `the docker context "colima"`. */
  by: string;
}
/** A context that cannot be used, with the reason. */
export interface UnusablePlace {
  by: string;
  problem: string;
}

const configSchema = z.object({ currentContext: z.string().optional() });
const metaSchema = z.object({
  Endpoints: z.object({
    docker: z.object({ Host: z.string().optional(), SkipTLSVerify: z.boolean().optional() }).optional(),
  }),
});

/** Undefined: the default context, which is the default socket. */
export async function contextPlace(sources: EngineSources): Promise<EnginePlace | UnusablePlace | undefined> {
  let by = 'the docker context';
  try {
    const name = sources.context ?? (await currentContext(sources.dockerFolder));
    if (name === undefined || name === 'default') return undefined;
    by = `the docker context "${name}"`;
    return { by, ...(await endpointOf(sources.dockerFolder, name)) };
  } catch (error) {
    return { by, problem: messageOf(error) };
  }
}

async function currentContext(folder: string): Promise<string | undefined> {
  const text = await readIfThere(join(folder, 'config.json'));
  return text === undefined
    ? undefined
    : parsed(configSchema, text, join(folder, 'config.json')).currentContext;
}

async function endpointOf(folder: string, name: string): Promise<Pick<EnginePlace, 'address' | 'certPath'>> {
  const id = createHash('sha256').update(name).digest('hex');
  const file = join(folder, 'contexts', 'meta', id, 'meta.json');
  const text = await readIfThere(file);
  if (text === undefined) throw new Error(`it is not defined: ${file} does not exist`);
  const endpoint = parsed(metaSchema, text, file).Endpoints.docker;
  if (!endpoint?.Host) throw new Error('it names no Docker engine');
  if (endpoint.SkipTLSVerify) throw new Error('it turns off the check of certificates, which davit does not');
  // Docker keeps ca.pem, cert.pem and key.pem there, as in DOCKER_CERT_PATH.
  const certPath = join(folder, 'contexts', 'tls', id, 'docker');
  const hasFiles = (await namesIn(certPath)).length > 0;
  return { address: endpoint.Host, ...(hasFiles && { certPath }) };
}

function parsed<T>(schema: z.ZodType<T>, text: string, file: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} is not a file of Docker's`, { cause });
  }
}

/** In the order in which they are tried. Only those of profiles and machines are looked up. */
export async function knownSockets(sources: EngineSources): Promise<EnginePlace[]> {
  const { userFolder, runtimeFolder, tempFolder } = sources;
  const user = (...parts: string[]): string => join(userFolder, ...parts);
  const place = (by: string, ...paths: string[]): EnginePlace[] =>
    paths.map((path) => ({ address: `unix://${path}`, by }));
  const colima = [user('.colima'), user('.config', 'colima')];
  const machines = user('.local', 'share', 'containers', 'podman', 'machine');
  return [
    { address: DEFAULT_ENGINE, by: 'the default socket' },
    ...place(
      'Docker Desktop',
      user('.docker', 'run', 'docker.sock'),
      user('.docker', 'desktop', 'docker.sock'),
    ),
    ...(runtimeFolder === undefined ? [] : place('rootless Docker', join(runtimeFolder, 'docker.sock'))),
    ...place('Colima', ...(await Promise.all(colima.map(profiles))).flat()),
    ...place('Rancher Desktop', user('.rd', 'docker.sock')),
    ...place('OrbStack', user('.orbstack', 'run', 'docker.sock')),
    ...(runtimeFolder === undefined ? [] : place('Podman', join(runtimeFolder, 'podman', 'podman.sock'))),
    ...place('Podman', '/run/podman/podman.sock'),
    ...place(
      'podman machine',
      join(machines, 'podman.sock'),
      ...(await namesIn(machines)).map((name) => join(machines, name, 'podman.sock')),
      ...(await namesIn(join(tempFolder, 'podman')))
        .filter((name) => name.endsWith('-api.sock'))
        .map((name) => join(tempFolder, 'podman', name)),
    ),
  ];
}

/** Sockets of Colima, that of its default profile first. */
async function profiles(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith('_'));
  const sorted = ['default', ...names.filter((name) => name !== 'default')];
  return sorted.map((name) => join(folder, name, 'docker.sock'));
}

const namesIn = async (folder: string): Promise<string[]> => {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return []; // it does not exist: this program is not there
  }
};
