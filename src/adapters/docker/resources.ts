/** Volumes and networks of one engine, and the id that davit keeps on it. */
import { randomUUID } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { path, type EngineApi } from './api.ts';
import { networkList, volumeList, volumeOf } from './response-schemas.ts';
import { labelFilter } from './requests.ts';
import { hasApi } from './traits.ts';

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
      return volumeList(
        await api.json({ method: 'GET', path: path`/volumes`, query, action: 'list volumes' }),
      );
    },
    createNetwork: (name, options) => createNetwork(api, name, options),
    async removeNetwork(name) {
      await api.find({ method: 'DELETE', path: path`/networks/${name}`, action: `remove network ${name}` });
    },
    async listNetworks(labels) {
      const found = await listNetworks(api, { label: labels });
      return found.map(({ name, labels: own, createdAt }) => ({ name, labels: own, createdAt }));
    },
    hostId: (installation) => hostId(api, volume, installation),
  };
}

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

const listNetworks = async (api: EngineApi, by: { label: Record<string, string> } | { name: string }) => {
  const filters = 'name' in by ? JSON.stringify({ name: [by.name] }) : labelFilter(by.label);
  return networkList(
    await api.json({ method: 'GET', path: path`/networks`, query: { filters }, action: 'list networks' }),
  );
};

/**
 * Engines know networks by id, and before version 25 two can have one name, even with CheckDuplicate when
 * both are created at once; then the name is unusable. A new network becomes visible only after some 100 ms,
 * so a caller cannot know that it is the first: every caller that sees several removes all but the oldest,
 * and the last to look sees all. A network that is in use cannot be removed, and then is used instead of the
 * oldest one.
 */
async function createNetwork(
  api: EngineApi,
  name: string,
  options: { labels: Record<string, string>; icc: boolean },
): Promise<void> {
  const { api: version } = await api.traits();
  // Newer engines refuse a second network of the name by themselves.
  const checks = hasApi(version, '1.44') ? {} : { CheckDuplicate: true };
  try {
    await api.json({
      method: 'POST',
      path: path`/networks/create`,
      body: {
        Name: name,
        ...checks,
        Driver: 'bridge',
        Labels: options.labels,
        ...(!options.icc && { Options: { 'com.docker.network.bridge.enable_icc': 'false' } }),
      },
      action: `create network ${name}`,
    });
  } catch (error) {
    if (error instanceof DavitError && /already exists/i.test(error.message)) return;
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
