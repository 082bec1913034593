/** The deploy target of one machine: its own engine as a swarm of one node. */
import Docker from 'dockerode';
import type { EngineInfo } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { LocalEngine } from './docker.ts';
import type { Progress } from '../process/progress.ts';

/** Overlay network for services of this machine; through it their published ports go over `docker_gwbridge`. */
export const LOCAL_NETWORK = 'davit-local';
const GATEWAY = 'docker_gwbridge';

/** Why this engine can never be made a swarm, for a person; undefined when it can. */
export function whyNoSwarm(info: Pick<EngineInfo, 'kind' | 'rootless' | 'swarm'>): string | undefined {
  if (info.kind === 'podman') return 'Podman has none';
  return info.rootless && info.swarm !== 'manager' ? 'rootless Docker has no overlay networks' : undefined;
}

/**
 * Makes the local engine a one-node swarm where it is none yet, after saying so. Ports that services publish over an overlay
 * network are then on 127.0.0.1 alone: swarm itself has no way to say so, but it takes the gateway bridge that is there. A
 * swarm that exists is used as it is. Rejects with `local/no-swarm`.
 */
export async function ensureSwarm(settings: Settings, local: LocalEngine, progress: Progress): Promise<void> {
  const reason = whyNoSwarm(local.info);
  if (reason !== undefined)
    throw new DavitError('local/no-swarm', `The local engine cannot be a swarm: ${reason}.`, {
      hint: 'Name the manager of a swarm as a deploy target in the installation file.',
    });
  if (local.info.swarm === 'worker')
    throw new DavitError(
      'local/no-swarm',
      'The local engine is a worker of a swarm whose manager is elsewhere.',
      {
        hint: 'Name that manager as a deploy target in the installation file.',
      },
    );
  if (!settings.dockerHost.startsWith('unix://')) {
    if (local.info.swarm === 'manager') return;
    throw new DavitError('local/no-swarm', `The engine at ${settings.dockerHost} is no swarm manager.`);
  }
  const docker = new Docker({ socketPath: settings.dockerHost.slice('unix://'.length) });
  try {
    if (local.info.swarm !== 'manager') await makeSwarm(docker, local, progress);
    await ensureNetwork(docker, progress);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new DavitError('local/no-swarm', `The local engine could not be made a swarm: ${why}`, { cause });
  }
}

async function makeSwarm(docker: Docker, local: LocalEngine, progress: Progress): Promise<void> {
  progress.note(
    'Making this engine a one-node swarm: docker swarm init --advertise-addr 127.0.0.1 (undo: docker swarm leave --force)',
  );
  const init = { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1', DataPathAddr: '127.0.0.1' };
  await progress.step('swarm', async () => {
    if (!(await hasNetwork(docker, GATEWAY))) await makeGateway(docker);
    try {
      await docker.swarmInit(init);
    } catch (error) {
      // Somebody else may have made it one at the same moment: then it is one.
      if ((await local.engine.info()).swarm !== 'manager') throw error;
    }
  });
}

/** As swarm makes it by itself, but for the address that ports are bound to. */
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
  progress.note(`Making the overlay network ${LOCAL_NETWORK} for services of this machine.`);
  try {
    await docker.createNetwork({ Name: LOCAL_NETWORK, Driver: 'overlay', CheckDuplicate: true });
  } catch (error) {
    if (!(await hasNetwork(docker, LOCAL_NETWORK))) throw error; // another davit was faster
  }
}

/** The filter matches parts of names, too. */
const hasNetwork = async (docker: Docker, name: string): Promise<boolean> =>
  (await docker.listNetworks({ filters: { name: [name] } })).some((one) => one.Name === name);
