/** The deploy target of a single machine: its own engine as a one-node swarm. */
import { join } from 'node:path';
import Docker from 'dockerode';
import { path, type EngineApi } from '../../adapters/docker/api.ts';
import { connect } from '../../adapters/docker/connection/transport.ts';
import { DEPLOY_INSTALLATION } from '../../adapters/swarm/labels.ts';
import { hasLocalNetwork, isPermitted, LOCAL_NETWORK, swarmLabels } from '../../adapters/swarm/permission.ts';
import type { EngineInfo } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { readIfThere } from '../process/files.ts';
import type { Progress } from '../process/progress.ts';
import type { Change } from './changes.ts';
import type { LocalEngine } from './docker.ts';
import { recordInstalled } from './install-record.ts';

const GATEWAY = 'docker_gwbridge';

type EngineSettings = Pick<Settings, 'dockerHost' | 'dockerCertPath'>;

export interface SwarmWish {
  /** Make the engine a one-node swarm if it is in none; `if-possible`: unless there can be none. */
  make: boolean | 'if-possible';
  /** A swarm that davit did not make may be used (`--use-swarm`). */
  use: boolean;
}

/** Why this engine can never be a swarm that davit deploys to, for a person; undefined when it can. */
export function swarmObstacle(
  info: Pick<EngineInfo, 'kind' | 'rootless' | 'swarm' | 'liveRestore'>,
): string | undefined {
  if (info.kind === 'podman') return 'Podman has no swarm';
  if (info.swarm === 'manager') return undefined;
  if (info.swarm === 'worker') return 'it is a worker of a swarm that another machine manages';
  if (info.rootless) return 'rootless Docker has no overlay networks';
  return info.liveRestore ? 'its live-restore is on, which Docker does not combine with a swarm' : undefined;
}

const FOREIGN = 'the engine is in a swarm that davit did not make; `davit up --use-swarm` allows its use';

/** Why the swarm of this engine cannot be used as it is, for a person; undefined: it can, or it can be made. */
export async function swarmRefusal(
  settings: EngineSettings,
  { info }: Pick<LocalEngine, 'info'>,
): Promise<string | undefined> {
  const obstacle = swarmObstacle(info);
  if (obstacle !== undefined) return `the engine of this machine cannot be a swarm: ${obstacle}`;
  if (info.swarm !== 'manager')
    return settings.dockerHost.startsWith('unix://')
      ? undefined
      : `the engine at ${settings.dockerHost} is not a swarm manager`;
  return (await withApi(settings, isPermitted)) ? undefined : FOREIGN;
}

/** What `ensureSwarm` would change. `local`: undefined before there is an engine. */
export async function swarmChanges(
  settings: EngineSettings,
  { make, use }: SwarmWish,
  local?: LocalEngine,
): Promise<Change[]> {
  if (local?.info.swarm === 'manager') {
    if (!use || (await withApi(settings, hasLocalNetwork))) return [];
    const why = 'services of this machine, in the swarm that the engine is in';
    return [{ act: 'initialise', what: `the overlay network ${LOCAL_NETWORK}`, why }];
  }
  if (make === false || (local && (await swarmRefusal(settings, local)) !== undefined)) return [];
  const why = 'the target of deployments, on 127.0.0.1 only';
  const undo = 'docker swarm leave --force';
  return [{ act: 'initialise', what: 'this engine as a swarm of one node', why, undo }];
}

/** `ensureSwarm`; where it need not succeed, the result is why it did not, for a person. */
export async function settleSwarm(
  settings: Settings,
  local: LocalEngine,
  { progress, ...wish }: SwarmWish & { progress: Progress },
): Promise<string | undefined> {
  if (wish.make === false && !(wish.use && local.info.swarm === 'manager')) return undefined;
  const refusal = await swarmRefusal(settings, local);
  if (wish.make === 'if-possible' && refusal !== undefined && !(wish.use && refusal === FOREIGN))
    return refusal;
  await ensureSwarm(settings, local, { progress, use: wish.use });
  return undefined;
}

/**
 * Makes the local engine a one-node swarm, and reports it. Ports that services publish over an overlay network are
 * then bound to 127.0.0.1 only: swarm has no option for that, but it uses an existing gateway bridge with its
 * settings. A swarm that davit did not make is used only if that was allowed, now or before. Rejects with
 * `local/no-swarm`.
 */
export async function ensureSwarm(
  settings: Settings,
  local: LocalEngine,
  { progress, use = false }: { progress: Progress; use?: boolean },
): Promise<void> {
  const refusal = await swarmRefusal(settings, local);
  if (refusal !== undefined && !(use && refusal === FOREIGN))
    throw new DavitError('local/no-swarm', `There is no swarm for deployments: ${refusal}.`, {
      hint:
        refusal === FOREIGN
          ? 'Allow it, or name the manager of another swarm as a deploy target in the installation file.'
          : 'Name the manager of a swarm as a deploy target in the installation file.',
    });
  try {
    if (local.info.swarm !== 'manager') {
      const docker = new Docker({ socketPath: settings.dockerHost.slice('unix://'.length) });
      await makeSwarm(settings, { docker, local, progress });
    } else if (refusal === FOREIGN) recordInstalled(settings, { usedSwarm: true });
    await withApi(settings, (api) => ensureNetwork(api, progress));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new DavitError('local/no-swarm', `Cannot initialize a swarm on the local engine: ${why}`, {
      cause,
    });
  }
}

async function withApi<T>(settings: EngineSettings, work: (api: EngineApi) => Promise<T>): Promise<T> {
  const { api, close } = await connect({ address: settings.dockerHost, certPath: settings.dockerCertPath });
  try {
    return await work(api);
  } finally {
    await close();
  }
}

async function makeSwarm(
  settings: Settings,
  { docker, local, progress }: { docker: Docker; local: LocalEngine; progress: Progress },
): Promise<void> {
  progress.note(
    'Making this engine a one-node swarm: docker swarm init --advertise-addr 127.0.0.1 (undo: docker swarm leave --force)',
  );
  const installation = (await readIfThere(join(settings.home, 'keys', 'installation-id')))?.trim() ?? '';
  const init = {
    ListenAddr: '127.0.0.1:2377',
    AdvertiseAddr: '127.0.0.1',
    DataPathAddr: '127.0.0.1',
    Spec: { Labels: swarmLabels(installation) },
  };
  await progress.step('swarm', async () => {
    const gateway = !(await hasNetwork(docker, GATEWAY));
    recordInstalled(settings, { swarm: true, ...(gateway && { gateway }) });
    if (gateway) await makeGateway(docker);
    try {
      await docker.swarmInit(init);
    } catch (error) {
      // Another process may have initialized it at the same time.
      if ((await local.engine.info()).swarm !== 'manager') throw error;
    }
  });
}

/** As swarm creates it by default, except for the address that ports are bound to. */
const makeGateway = (docker: Docker): Promise<unknown> =>
  docker.createNetwork({
    Name: GATEWAY,
    Driver: 'bridge',
    Options: {
      'com.docker.network.bridge.name': GATEWAY,
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1',
    },
  });

async function ensureNetwork(api: EngineApi, progress: Progress): Promise<void> {
  if (await hasLocalNetwork(api)) return;
  progress.note(`Creating the overlay network ${LOCAL_NETWORK} for services of this machine.`);
  const body = { Name: LOCAL_NETWORK, Driver: 'overlay', CheckDuplicate: true };
  try {
    await api.json({
      method: 'POST',
      path: path`/networks/create`,
      body,
      action: `create network ${LOCAL_NETWORK}`,
    });
  } catch (error) {
    if (!(await hasLocalNetwork(api))) throw error; // otherwise another davit has created it
  }
}

/** Takes back the permission to use a swarm that stays. False if services use its network. */
export const dropLocalNetwork = (settings: EngineSettings): Promise<boolean> =>
  withApi(settings, async (api) => {
    try {
      await api.find({
        method: 'DELETE',
        path: path`/networks/${LOCAL_NETWORK}`,
        action: `remove network ${LOCAL_NETWORK}`,
      });
      return true;
    } catch (error) {
      if (error instanceof DavitError && error.code === 'engine/failed') return false; // it is in use
      throw error;
    }
  });

/** Why the swarm that davit made has to stay, for a person; undefined: nothing else uses it. */
export async function swarmUse(address: string, installation: string): Promise<string | undefined> {
  const docker = new Docker({ socketPath: address.slice('unix://'.length) });
  if ((await docker.listNodes()).length > 1) return 'it has other machines';
  const foreign = (await docker.listServices()).filter(
    (one) => one.Spec?.Labels?.[DEPLOY_INSTALLATION] !== installation,
  );
  const names = foreign.map((one) => one.Spec?.Name ?? one.ID);
  return names.length > 0 ? `davit has not deployed its services ${names.join(', ')}` : undefined;
}

/** Ends the swarm of this engine with its services, and removes the gateway bridge if davit made it. */
export async function leaveSwarm(address: string, gateway: boolean): Promise<void> {
  const docker = new Docker({ socketPath: address.slice('unix://'.length) });
  await docker.swarmLeave({ force: true });
  if (gateway && (await hasNetwork(docker, GATEWAY))) await docker.getNetwork(GATEWAY).remove();
}

/** The filter also matches parts of names. */
const hasNetwork = async (docker: Docker, name: string): Promise<boolean> =>
  (await docker.listNetworks({ filters: { name: [name] } })).some((one) => one.Name === name);
