/**
 * Whether davit may use the swarm of a machine's own engine without being told so in the installation file.
 *
 * PERMISSION-1 A swarm that davit did not make is used only after a person has allowed it (`davit up --use-swarm`). The
 *              swarm itself says so: by its label, or by davit's own network, which is made with that permission only.
 */
import { LABELS } from '../../plan/model/labels.ts';
import { path, type EngineApi } from '../docker/api.ts';
import { checked } from '../docker/checked.ts';
import { z } from 'zod';

/** Overlay network for services of this machine; published ports of its services use `docker_gwbridge`. */
export const LOCAL_NETWORK = 'davit-local';

/** On the swarm that davit makes. */
export const swarmLabels = (installation: string): Record<string, string> => ({
  [LABELS.installation]: installation,
});

const swarmSchema = z.object({
  Spec: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
});

/** The engine must be a manager of the swarm. */
export async function isPermitted(api: EngineApi): Promise<boolean> {
  if (await hasLocalNetwork(api)) return true;
  const action = 'inspect the swarm';
  const response = await api.json({ method: 'GET', path: path`/swarm`, action });
  return checked(swarmSchema, response, action).Spec.Labels?.[LABELS.installation] !== undefined;
}

export const hasLocalNetwork = async (api: EngineApi): Promise<boolean> =>
  (await api.find({
    method: 'GET',
    path: path`/networks/${LOCAL_NETWORK}`,
    action: `inspect the network ${LOCAL_NETWORK}`,
  })) !== undefined;
