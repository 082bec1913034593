/** Takes back on this machine what `davit worker add` has written; the server's part is `davit worker remove`'s. */
import { parseEngineAddress } from '../../adapters/docker/connection/address.ts';
import type { Settings } from '../../config.ts';
import { unpin } from './host-key.ts';
import { removeUnit } from './install-unit.ts';
import { findMachine, listMachines, removeMachine } from './record.ts';

/** Its worker ends. False if it was not added here. Rejects with `machine/unit` if its unit cannot be disabled. */
export async function forgetMachine(settings: Settings, name: string): Promise<boolean> {
  const record = await findMachine(settings, name);
  if (!record) return false;
  if (record.runs === 'systemd') await removeUnit(name);
  await removeMachine(settings, name);
  const { docker, certPath } = record;
  const others = (await listMachines(settings)).map((one) => one.docker);
  if (docker === undefined || others.includes(docker)) return true;
  const address = parseEngineAddress(docker, certPath !== undefined);
  if (address.kind === 'ssh') await unpin(settings, address);
  return true;
}
