/**
 * What davit changed on this machine that carries no label: Debian packages, emulation, the swarm; and with which
 * engine. The file `HOME/installed.json`; `davit down --purge` reads it.
 *
 * RECORD-1 An entry is written before its change, so that a crash leaves none out. So an entry is no proof:
 *          who takes something back first looks whether it is there.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { ARCHES } from '../../plan/model/ids.ts';

const recordSchema = z.object({
  /** Debian packages that were not there before. */
  packages: z.array(z.string()).default([]),
  /** Architectures whose emulation was registered with the kernel. */
  emulation: z.array(z.enum(ARCHES)).default([]),
  /** The engine was made a swarm. */
  swarm: z.boolean().default(false),
  /** A person has allowed the use of a swarm that davit did not make. */
  usedSwarm: z.boolean().default(false),
  /** The gateway bridge of the swarm, bound to 127.0.0.1. */
  gateway: z.boolean().default(false),
  /** That `davit up` was last started with. */
  engine: z.object({ address: z.string(), certPath: z.string().optional() }).optional(),
});
export type InstallRecord = z.infer<typeof recordSchema>;
type Home = Pick<Settings, 'home'>;

const pathOf = ({ home }: Home): string => join(home, 'installed.json');

/** Empty if there is none or it cannot be read. */
export function readInstallRecord(settings: Home): InstallRecord {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(pathOf(settings), 'utf8')));
  } catch {
    return recordSchema.parse({}); // nothing was recorded, and so nothing is taken back
  }
}

/** Adds to the record. Synchronous: steps of a start run beside each other, and none loses another's entry. */
export function recordInstalled(settings: Home, change: Partial<InstallRecord>): void {
  const before = readInstallRecord(settings);
  const after: InstallRecord = {
    packages: [...new Set([...before.packages, ...(change.packages ?? [])])],
    emulation: [...new Set([...before.emulation, ...(change.emulation ?? [])])],
    swarm: change.swarm ?? before.swarm,
    usedSwarm: change.usedSwarm ?? before.usedSwarm,
    gateway: change.gateway ?? before.gateway,
    ...((change.engine ?? before.engine) && { engine: change.engine ?? before.engine }),
  };
  const path = pathOf(settings);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(after, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
