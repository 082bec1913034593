/** Looks for results of an earlier `npm start`: images in the registry, the service on the local swarm. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registryClient } from '../adapters/registry/index.ts';
import { swarmTarget } from '../adapters/swarm/index.ts';
import type { Settings } from '../config.ts';
import { authorityFolder } from './authority/authority.ts';
import { isFree, freePort } from './process/ports.ts';
import { readSharedRegistry } from './setup/shared-registry.ts';
import { LOCAL_TARGET } from '../installation.ts';

const LOOPBACK = /^(127\.|localhost|\[::1\])/;

/** Digest and platforms of `HOST/REPOSITORY:TAG`; undefined if there is no index of that name. `token`: of a user. */
export async function indexOf(
  settings: Settings,
  { host, repository, tag }: { host: string; repository: string; tag: string },
  token: string,
): Promise<{ digest: string; platforms: string[] } | undefined> {
  const isShared = (await readSharedRegistry(settings))?.host === host;
  const isOwn = isShared || LOOPBACK.test(host);
  const registry = registryClient({
    host,
    insecure: isOwn && !isShared,
    ...(isShared && { ca: await readFile(join(authorityFolder(settings), 'ca.crt'), 'utf8') }),
    ...(isOwn && { auth: { username: 'davit', password: token } }),
  });
  const index = await registry.index(repository, tag);
  return (
    index && { digest: index.digest, platforms: index.entries.map((one) => one.platform?.architecture ?? '') }
  );
}

/** The port of a service on the local swarm, else the wanted one if it is free, else another. */
export async function servicePort(settings: Settings, service: string, wanted: number): Promise<number> {
  const target = await swarmTarget({
    name: LOCAL_TARGET,
    address: settings.dockerHost,
    certPath: settings.dockerCertPath,
  });
  try {
    const [endpoint] = (await target.read(service)).endpoints;
    const port = Number(/:(\d+)$/.exec(endpoint ?? '')?.[1] ?? 0);
    if (port > 0) return port;
    return (await isFree(wanted)) ? wanted : freePort();
  } finally {
    await target.close();
  }
}
