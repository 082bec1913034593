/** Volumes and networks of one engine, and the id that davit keeps on it. */
import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { path, type Call, type EngineApi } from './api.ts';
import { containerList } from './container-state.ts';
import { networkList, podmanNetworkList, volumeList, volumeOf } from './response-schemas.ts';
import { labelFilter } from './requests.ts';
import { hasApi, type EngineTraits } from './traits.ts';

type Resources = Pick<
  Engine,
  | 'createVolume'
  | 'removeVolume'
  | 'listVolumes'
  | 'createNetwork'
  | 'removeNetwork'
  | 'listNetworks'
  | 'hostId'
>;
/** A new network is visible after some 100 ms. */
const VISIBLE_MS = 5_000;
const ASK_AGAIN_MS = 50;
const HOST_LABEL = 'davit.host.id';
/** A volume of davit's name that davit did not create is left alone, and the next name is used. */
const HOST_NAMES = ['', '-2', '-3'];

/** The volume and network part of an Engine. */
export function resources(api: EngineApi): Resources {
  const volume = async (name: string, labels: Record<string, string>) =>
    volumeOf(
      await api.json({
        method: 'POST',
        path: path`/volumes/create`,
        body: { Name: name, Labels: labels },
        action: `create volume ${name}`,
      }),
    );
  return {
    async createVolume(name, labels) {
      await volume(name, labels);
    },
    async removeVolume(name) {
      await api.find({ method: 'DELETE', path: path`/volumes/${name}`, action: `remove volume ${name}` });
    },
    async listVolumes(labels) {
      const query = { filters: labelFilter(labels) };
      const found = await api.json({ method: 'GET', path: path`/volumes`, query, action: 'list volumes' });
      return volumeList(found).filter((one) => hasLabels(one.labels, labels));
    },
    createNetwork: (name, options) => createNetwork(api, name, options),
    removeNetwork: (name) => removeNetwork(api, name),
    async listNetworks(labels) {
      const found = await listNetworks(api, { label: labels });
      return found
        .filter((one) => hasLabels(one.labels, labels))
        .map((one) => ({ name: one.name, labels: one.labels, createdAt: one.createdAt }));
    },
    hostId: (installation) => hostId(api, volume, installation),
  };
}

/** For Podman, which lists volumes and networks that have any of the labels, where Docker lists those that have all. */
const hasLabels = (labels: Record<string, string>, wanted: Record<string, string>): boolean =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);

/**
 * The first id is permanent: creating a volume that exists changes nothing. The id is read afterwards,
 * because an engine that was restarted (20.10) omits the labels in the response to a create of an existing
 * volume, until the volume is inspected.
 */
async function hostId(
  api: EngineApi,
  make: (name: string, labels: Record<string, string>) => Promise<unknown>,
  installation: string,
): Promise<string> {
  const base = `davit-host-${installation.slice(0, 8)}`;
  for (const suffix of HOST_NAMES) {
    const name = `${base}${suffix}`;
    await make(name, { [HOST_LABEL]: randomUUID(), 'davit.installation': installation });
    const response = await api.json({
      method: 'GET',
      path: path`/volumes/${name}`,
      action: `inspect volume ${name}`,
    });
    const { labels } = volumeOf(response);
    const id = labels[HOST_LABEL];
    if (id !== undefined && labels['davit.installation'] === installation) return id;
  }
  throw new DavitError(
    'engine/failed',
    `Volumes ${HOST_NAMES.map((suffix) => base + suffix).join(', ')} on ${api.address} do not belong to davit.`,
    { hint: `Remove an unused one: \`docker volume rm ${base}\`.` },
  );
}

async function removeNetwork(api: EngineApi, name: string): Promise<void> {
  const call: Call = { method: 'DELETE', path: path`/networks/${name}`, action: `remove network ${name}` };
  try {
    await api.find(call);
  } catch (error) {
    const inUse = error instanceof DavitError && error.code === 'engine/in-use';
    if (!inUse || !(await api.traits()).podman) throw error;
    await disconnectEnded(api, name);
    await api.find(call);
  }
}

/** For Podman, where a container that has ended still uses its network. */
async function disconnectEnded(api: EngineApi, network: string): Promise<void> {
  const query = { all: '1', filters: JSON.stringify({ network: [network] }) };
  const listing: Call = { method: 'GET', path: path`/containers/json`, query, action: 'list containers' };
  for (const { id, name, status } of containerList(await api.json(listing)))
    if (status === 'exited' || status === 'dead') {
      const action = `disconnect container ${name} from network ${network}`;
      const body = { Container: id, Force: true };
      const call: Call = { method: 'POST', path: path`/networks/${network}/disconnect`, body, action };
      try {
        await text(await api.stream(call)); // "OK", which is not JSON
      } catch (error) {
        // The container may be gone meanwhile. If something else is wrong, the removal of the network fails.
        if (!(error instanceof DavitError)) throw api.streamError(error, call);
      }
    }
}

type NetworkOptions = Parameters<Engine['createNetwork']>[1];

function networkCall(
  traits: EngineTraits,
  name: string,
  options: NetworkOptions,
): Pick<Call, 'path' | 'body'> {
  const { labels, icc, bridge } = options;
  // Podman's networks reach each other unless they are isolated, an option that only its own API has.
  if (traits.podman) {
    const own = { name, driver: 'bridge', labels, dns_enabled: true, options: { isolate: 'true' } };
    const body = bridge === undefined ? own : { ...own, network_interface: bridge };
    return { path: path`/libpod/networks/create`, body };
  }
  // Newer engines refuse a second network of the name by themselves.
  const checks = hasApi(traits.api, '1.44') ? {} : { CheckDuplicate: true };
  const driver = {
    ...(icc ? {} : { 'com.docker.network.bridge.enable_icc': 'false' }),
    ...(bridge === undefined ? {} : { 'com.docker.network.bridge.name': bridge }),
  };
  const body = { Name: name, ...checks, Driver: 'bridge', Labels: labels, Options: driver };
  return { path: path`/networks/create`, body };
}

/** Listing networks by Podman's Docker API makes its service forget that a network is isolated (4.3); its own API does not. */
async function listNetworks(
  api: EngineApi,
  by: { label: Record<string, string> } | { name: string },
): Promise<ReturnType<typeof networkList>> {
  const filters = 'name' in by ? JSON.stringify({ name: [by.name] }) : labelFilter(by.label);
  const { podman } = await api.traits();
  const where = podman ? path`/libpod/networks/json` : path`/networks`;
  const found = await api.json({ method: 'GET', path: where, query: { filters }, action: 'list networks' });
  return podman ? podmanNetworkList(found) : networkList(found);
}

async function isVisible(api: EngineApi, name: string): Promise<boolean> {
  for (let left = VISIBLE_MS; left > 0; left -= ASK_AGAIN_MS) {
    if ((await listNetworks(api, { name })).some((network) => network.name === name)) return true;
    await delay(ASK_AGAIN_MS);
  }
  return false;
}

/**
 * Engines know networks by id, and before version 25 two can have one name, even with CheckDuplicate when
 * both are created at once; then the name is unusable. A new network becomes visible only after some 100 ms,
 * so a caller cannot know that it is the first: every caller that sees several removes all but the oldest,
 * and the last to look sees all. A network that is in use cannot be removed, and then is used instead of the
 * oldest one.
 */
async function createNetwork(api: EngineApi, name: string, options: NetworkOptions): Promise<void> {
  const traits = await api.traits();
  try {
    const action = `create network ${name}`;
    await api.json({ method: 'POST', ...networkCall(traits, name, options), action });
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    if (/already exists/i.test(error.message)) return;
    // Somebody has created it at the same moment, and it is not visible yet.
    if (/same bridge name/i.test(error.message) && (await isVisible(api, name))) return;
    throw error;
  }
  const same = (await listNetworks(api, { name })).filter((network) => network.name === name);
  same.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  let left = same.length;
  for (const { id } of same) {
    if (left === 1) return;
    try {
      await api.find({ method: 'DELETE', path: path`/networks/${id}`, action: `remove network ${name}` });
      left -= 1;
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'engine/in-use') throw error;
    }
  }
}
