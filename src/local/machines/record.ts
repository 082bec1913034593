/**
 * The machines that this installation drives beside its own: `HOME/machines/NAME.json`, and in `HOME/machines/NAME` what
 * the worker reads. `davit worker add` writes them; `davit up` and `davit worker --machine` run them.
 *
 * Invariants:
 *  MACHINES-1 A record is written last and removed first: where it is, everything that its worker needs is there.
 *  MACHINES-2 The folder is closed to other users. The token is in its own file and nowhere else.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import { readJson, writeJson } from '../process/files.ts';

type Home = Pick<Settings, 'home'>;

/** The names that tokens of workers may have. */
export const MACHINE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const recordSchema = z.object({
  name: z.string().regex(MACHINE_NAME),
  /** In the form of `--docker`; absent: the engine of this machine. */
  docker: z.string().optional(),
  /** Folder with ca.pem, cert.pem and key.pem, for tcp. */
  certPath: z.string().optional(),
  arches: z.array(z.enum(ARCHES)),
  /** Architectures that the engine has to emulate are fine. */
  emulation: z.boolean(),
  /** Deploy target of the installation file. */
  target: z.string().optional(),
  /** What keeps its worker running: `davit up` of this home, a unit of systemd, or a person. */
  runs: z.enum(['up', 'systemd', 'command']),
  /** davit's id on the engine, and its name, when it was last added. */
  hostId: z.string(),
  hostName: z.string(),
  /** Id of its token at the server, and the limits that it was made with. */
  token: z.object({
    id: z.string(),
    projects: z.array(z.string()).optional(),
    protected_only: z.boolean(),
    forks: z.boolean(),
  }),
  /** Epoch ms: a worker that was started before is outdated. */
  changedAt: z.number(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

export const machinesFolder = ({ home }: Home): string => join(home, 'machines');

/** Files of one machine. */
export const machinePaths = (settings: Home, name: string) => {
  const folder = join(machinesFolder(settings), name);
  return {
    record: `${folder}.json`,
    folder,
    token: join(folder, 'token'),
    config: join(folder, 'worker.yml'),
    environment: join(folder, 'environment'),
  };
};

/** Undefined if there is none, or it cannot be read. */
export async function findMachine(settings: Home, name: string): Promise<MachineRecord | undefined> {
  if (!MACHINE_NAME.test(name)) return undefined;
  const parsed = recordSchema.safeParse(await readJson(machinePaths(settings, name).record));
  return parsed.success && parsed.data.name === name ? parsed.data : undefined;
}

/** Rejects with `machine/unknown`. */
export async function readMachine(settings: Home, name: string): Promise<MachineRecord> {
  const found = await findMachine(settings, name);
  if (found) return found;
  throw new DavitError('machine/unknown', `No machine named ${name} was added in ${settings.home}.`);
}

/** By name. */
export async function listMachines(settings: Home): Promise<MachineRecord[]> {
  let files: string[];
  try {
    files = await readdir(machinesFolder(settings));
  } catch {
    return []; // no machine was ever added
  }
  const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  const found = await Promise.all(names.sort().map((name) => findMachine(settings, name)));
  return found.filter((one) => one !== undefined);
}

/** MACHINES-1: after everything else. */
export const writeMachine = (settings: Home, record: MachineRecord): Promise<void> =>
  writeJson(machinePaths(settings, record.name).record, record);

export async function makeMachineFolder(settings: Home, name: string): Promise<void> {
  await mkdir(machinesFolder(settings), { recursive: true, mode: 0o700 });
  await mkdir(machinePaths(settings, name).folder, { recursive: true, mode: 0o700 });
}

/** Its worker ends where `davit up` runs it. The token is the caller's to revoke. */
export async function removeMachine(settings: Home, name: string): Promise<void> {
  const { record, folder } = machinePaths(settings, name);
  await rm(record, { force: true });
  await rm(folder, { recursive: true, force: true });
}
