/**
 * `davit registry enable`: the registry of `davit up` by a name that every engine reaches, with TLS. It makes what is
 * missing: the authority, the certificate, the trust of each engine that this installation knows.
 *
 *   ENABLE-1 A second run changes nothing that is as it should be.
 *   ENABLE-2 An engine that cannot be told is named with what to do there; it keeps no other from being told.
 */
import { readFile } from 'node:fs/promises';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dockerEngine } from '../../adapters/docker/index.ts';
import { connect, type EngineOptions } from '../../adapters/docker/connection/transport.ts';
import { trustByHand, trustRegistry } from '../../adapters/docker/trust-registry.ts';
import { ensureHelperImage } from '../../adapters/helper-image.ts';
import { pinnedHosts, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { HELPER_IMAGE, type Installation } from '../../installation.ts';
import { isImageName } from '../../match/image-name.ts';
import { messageOf } from '../../utils/message.ts';
import { authorityFolder, createAuthority } from '../authority/authority.ts';
import { fail, ok, type Finding } from '../doctor/check.ts';
import { checkRegistryFromEngine } from '../doctor/engine.ts';
import { listMachines } from '../machines/record.ts';
import { readInstallation } from './installation.ts';
import {
  ensureRegistryCertificate,
  nameOf,
  readSharedRegistry,
  removeSharedRegistry,
  writeSharedRegistry,
  type SharedRegistry,
} from './shared-registry.ts';

const DEFAULT_PORT = 5443;
const ANY = '0.0.0.0';
export const THIS_MACHINE = 'this machine';

export interface KnownEngine {
  /** For people: `this machine`, or the name of a machine. */
  name: string;
  address: string;
  certPath?: string | undefined;
}

/** Stores the name and issues the certificate. Rejects with `usage/invalid`, `installation/invalid`. */
export async function enableRegistry(settings: Settings, wanted: string): Promise<SharedRegistry> {
  const { installation } = await readInstallation(settings);
  refuseOther(settings, installation);
  const host = /:\d+$/.test(wanted) && isIP(wanted) === 0 ? wanted : `${bracketed(wanted)}:${DEFAULT_PORT}`;
  if (!isImageName(`${host}/x`))
    throw new DavitError('usage/invalid', `"${wanted}" is not a name that images can have.`, {
      hint: 'Name this machine as every engine reaches it: --host images.example.com, or --host 10.1.2.3:5443.',
    });
  const shared = { host, listen: await ownAddress(nameOf(host)) };
  try {
    await createAuthority(authorityFolder(settings), 'davit');
  } catch (error) {
    if (!(error instanceof DavitError && error.code === 'ca/exists')) throw error;
  }
  await ensureRegistryCertificate(settings, shared);
  await writeSharedRegistry(settings, shared);
  return shared;
}

function refuseOther(settings: Settings, { registries, registry_auth: auth }: Installation): void {
  const other = settings.registry ?? registries.find((one) => one.default)?.host;
  if (other !== undefined)
    throw new DavitError(
      'usage/invalid',
      `This installation uses the registry ${other}, which davit does not run.`,
      {
        hint: 'Take it out of DAVIT_REGISTRY or the installation file, or give engines the authority of that one.',
      },
    );
  if (auth === 'off')
    throw new DavitError(
      'usage/invalid',
      'The registry asks for no tokens: everybody in the network could write.',
      {
        hint: 'Take `registry_auth: off` out of the installation file.',
      },
    );
}

const bracketed = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

/** The address of this machine that has the name; all of them where the name leads elsewhere, such as to a gateway. */
async function ownAddress(name: string): Promise<string> {
  let address: string;
  try {
    ({ address } = await lookup(name));
  } catch (cause) {
    throw new DavitError('usage/invalid', `The name ${name} cannot be resolved on this machine.`, {
      hint: 'Every engine has to resolve it: add it to your DNS or to /etc/hosts, or use an address of this machine.',
      cause,
    });
  }
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address));
  const isOwn = own.includes(address) || /^127\./.test(address);
  return isOwn ? address : ANY;
}

/** Undoes it, the trust of engines included. False if there was nothing to undo. */
export async function disableRegistry(
  settings: Settings,
  onFinding: (finding: Finding) => void,
): Promise<boolean> {
  const shared = await readSharedRegistry(settings);
  if (!shared) return false;
  await forEachEngine(settings, onFinding, async (engine) => {
    await onEngine(settings, engine, ({ api, helperImage }) =>
      trustRegistry(api, { host: shared.host, authority: undefined, helperImage }),
    );
    return [ok(engine.name, `no longer trusts ${shared.host}`)];
  });
  await removeSharedRegistry(settings);
  return true;
}

/** Tells every known engine whom to trust. ENABLE-2 */
export const trustEverywhere = (
  settings: Settings,
  { host }: SharedRegistry,
  onFinding: (finding: Finding) => void,
): Promise<void> =>
  forEachEngine(settings, onFinding, async (engine) => {
    await trustOn(settings, engine, host);
    return [ok(engine.name, `trusts ${host}`)];
  });

/** Whether each engine reaches the registry, once davit serves it by that name. */
export const checkEverywhere = (
  settings: Settings,
  { host }: SharedRegistry,
  onFinding: (finding: Finding) => void,
): Promise<void> =>
  forEachEngine(settings, onFinding, (engine) =>
    onEngine(settings, engine, async ({ port, info }) => {
      const found = await checkRegistryFromEngine(port, info, host);
      return found.map((one) => ({ ...one, name: engine.name }));
    }),
  );

/** For one engine: also of a machine that is being added. Rejects with `engine/*`. */
export async function trustOn(settings: Settings, engine: KnownEngine, host: string): Promise<void> {
  const { ca } = await ensureRegistryCertificate(settings, { host });
  const authority = await readFile(ca, 'utf8');
  await onEngine(settings, engine, async ({ api, info, helperImage }) => {
    if (info.rootless)
      throw new DavitError('engine/failed', 'The engine runs without root, and reads its own folder.', {
        hint: `There: mkdir -p ~/.config/docker/certs.d/${host}, and copy ${ca} to ca.crt in it (Podman: ~/.config/containers/certs.d).`,
      });
    await trustRegistry(api, { host, authority, helperImage });
  });
}

async function forEachEngine(
  settings: Settings,
  onFinding: (finding: Finding) => void,
  work: (engine: KnownEngine) => Promise<Finding[]>,
): Promise<void> {
  const machines = await listMachines(settings);
  const engines: KnownEngine[] = [
    { name: THIS_MACHINE, address: settings.dockerHost, certPath: settings.dockerCertPath },
    ...machines.flatMap(({ name, docker, certPath }) =>
      docker === undefined ? [] : [{ name, address: docker, certPath }],
    ),
  ];
  for (const engine of engines)
    try {
      for (const finding of await work(engine)) onFinding(finding);
    } catch (error) {
      const hint = error instanceof DavitError ? error.hint : undefined;
      const host = (await readSharedRegistry(settings))?.host ?? 'HOST';
      onFinding(fail(engine.name, messageOf(error), hint ?? `On that machine: ${trustByHand(host)}`));
    }
}

interface Reached {
  api: Awaited<ReturnType<typeof connect>>['api'];
  port: Awaited<ReturnType<typeof dockerEngine>>;
  info: Awaited<ReturnType<Awaited<ReturnType<typeof dockerEngine>>['info']>>;
  helperImage: string;
}

async function onEngine<T>(
  settings: Settings,
  { address, certPath }: KnownEngine,
  work: (reached: Reached) => Promise<T>,
): Promise<T> {
  const { installation } = await readInstallation(settings);
  const options: EngineOptions = { address, certPath, pinnedHosts: pinnedHosts(settings) };
  const port = await dockerEngine(options);
  try {
    const info = await port.info();
    const name = settings.helperImage ?? installation.helper_image ?? HELPER_IMAGE;
    const helperImage = await ensureHelperImage(port, info, { name, path: settings.path });
    const { api, close } = await connect(options);
    try {
      return await work({ api, port, info, helperImage });
    } finally {
      await close();
    }
  } finally {
    await port.close();
  }
}
