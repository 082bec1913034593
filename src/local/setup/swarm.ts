/** The deploy target of a single machine: its own engine as a one-node swarm. */
import Docker from 'dockerode';
import { DEPLOY_INSTALLATION } from '../../adapters/swarm/labels.ts';
import type { EngineInfo } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { LocalEngine } from './docker.ts';
import { recordInstalled } from './install-record.ts';
import type { Progress } from '../process/progress.ts';

/** Overlay network for services of this machine; published ports of its services use `docker_gwbridge`. */
export const LOCAL_NETWORK = 'davit-local';
const GATEWAY = 'docker_gwbridge';

/** Why this engine can never be made a swarm, for a person; undefined when it can. */
export function swarmObstacle(info: Pick<EngineInfo, 'kind' | 'rootless' | 'swarm'>): string | undefined {
  if (info.kind === 'podman') return 'Podman has no swarm';
  return info.rootless && info.swarm !== 'manager' ? 'rootless Docker has no overlay networks' : undefined;
}

/**
 * Makes the local engine a one-node swarm, and reports it; an existing swarm is used as it is. Ports that
 * services publish over an overlay network are then bound to 127.0.0.1 only: swarm has no option for that,
 * but it uses an existing gateway bridge with its settings. Rejects with `local/no-swarm`.
 */
export async function ensureSwarm(settings: Settings, local: LocalEngine, progress: Progress): Promise<void> {
  const reason = swarmObstacle(local.info);
  if (reason !== undefined)
    throw new DavitError('local/no-swarm', `The local engine cannot be a swarm: ${reason}.`, {
      hint: 'Name the manager of a swarm as a deploy target in the installation file.',
    });
  if (local.info.swarm === 'worker')
    throw new DavitError(
      'local/no-swarm',
      'The local engine is a worker of a swarm that another machine manages.',
      {
        hint: 'Add that manager as a deploy target to the installation file.',
      },
    );
  if (!settings.dockerHost.startsWith('unix://')) {
    if (local.info.swarm === 'manager') return;
    throw new DavitError('local/no-swarm', `The engine at ${settings.dockerHost} is not a swarm manager.`);
  }
  const docker = new Docker({ socketPath: settings.dockerHost.slice('unix://'.length) });
  try {
    if (local.info.swarm !== 'manager') await makeSwarm(settings, { docker, local, progress });
    await ensureNetwork(docker, progress);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new DavitError('local/no-swarm', `Cannot initialize a swarm on the local engine: ${why}`, {
      cause,
    });
  }
}

async function makeSwarm(
  settings: Settings,
  { docker, local, progress }: { docker: Docker; local: LocalEngine; progress: Progress },
): Promise<void> {
  progress.note(
    'Making this engine a one-node swarm: docker swarm init --advertise-addr 127.0.0.1 (undo: docker swarm leave --force)',
  );
  const init = { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1', DataPathAddr: '127.0.0.1' };
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

async function ensureNetwork(docker: Docker, progress: Progress): Promise<void> {
  if (await hasNetwork(docker, LOCAL_NETWORK)) return;
  progress.note(`Creating the overlay network ${LOCAL_NETWORK} for services of this machine.`);
  try {
    await docker.createNetwork({ Name: LOCAL_NETWORK, Driver: 'overlay', CheckDuplicate: true });
  } catch (error) {
    if (!(await hasNetwork(docker, LOCAL_NETWORK))) throw error; // otherwise another davit has created it
  }
}

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
