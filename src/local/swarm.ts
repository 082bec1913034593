/** The deploy target of one machine: its own engine as a swarm of one node. */
import Docker from 'dockerode';
import type { Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import type { LocalEngine } from './docker.ts';
import type { Progress } from './progress.ts';

export const LOCAL_TARGET = 'local-swarm';

/** Makes the local engine a one-node swarm where it is none yet, after saying so. Rejects with `local/no-swarm`. */
export async function ensureSwarm(settings: Settings, local: LocalEngine, progress: Progress): Promise<void> {
  if (local.info.swarm === 'manager') return;
  if (local.info.swarm === 'worker')
    throw new DavitError(
      'local/no-swarm',
      'The local engine is a worker of a swarm whose manager is elsewhere.',
      {
        hint: 'Name that manager as a deploy target in the installation file.',
      },
    );
  if (!settings.dockerHost.startsWith('unix://'))
    throw new DavitError('local/no-swarm', `The engine at ${settings.dockerHost} is no swarm manager.`);
  progress.note(
    'Making this engine a one-node swarm: docker swarm init --advertise-addr 127.0.0.1 (undo: docker swarm leave --force)',
  );
  const docker = new Docker({ socketPath: settings.dockerHost.slice('unix://'.length) });
  try {
    await progress.step('swarm', () =>
      docker.swarmInit({
        ListenAddr: '127.0.0.1:2377',
        AdvertiseAddr: '127.0.0.1',
        DataPathAddr: '127.0.0.1',
      }),
    );
  } catch (cause) {
    const again = await local.engine.info();
    if (again.swarm === 'manager') return; // somebody else made it one at the same moment
    const why = cause instanceof Error ? cause.message : '';
    throw new DavitError('local/no-swarm', `The local engine could not be made a swarm: ${why}`, { cause });
  }
}
