/** Ports on the loopback: the ones used last time where they are free (addresses are part of image names), else others. */
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { readJson, writeJson } from './files.ts';

export const PREFERRED_PORTS = { server: 8420, temporal: 7233, ui: 8233, registry: 5000 } as const;
export type PortName = keyof typeof PREFERRED_PORTS;
export type Ports = Record<PortName, number>;
const NAMES = ['server', 'temporal', 'ui', 'registry'] as const satisfies readonly PortName[];
const port = z.number().int().min(1).max(65_535);
const schema = z.object({ server: port, temporal: port, ui: port, registry: port }).partial();

/** Picks a free port for each name, different ones, and keeps the choice in `HOME/ports.json`. */
export async function choosePorts(settings: Pick<Settings, 'home'>): Promise<Ports> {
  const file = join(settings.home, 'ports.json');
  const parsed = schema.safeParse(await readJson(file));
  const last = parsed.success ? parsed.data : {};
  const chosen: Ports = { ...PREFERRED_PORTS };
  const taken = new Set<number>();
  for (const name of NAMES) {
    const wanted = [last[name], PREFERRED_PORTS[name]].filter((one) => one !== undefined);
    const value = (await firstFree(wanted, taken)) ?? (await anyFree(taken));
    taken.add(value);
    chosen[name] = value;
  }
  await writeJson(file, chosen);
  return chosen;
}

async function firstFree(wanted: number[], taken: Set<number>): Promise<number | undefined> {
  for (const one of wanted) if (!taken.has(one) && (await isFree(one))) return one;
  return undefined;
}

async function anyFree(taken: Set<number>): Promise<number> {
  for (;;) {
    const one = await freePort();
    if (!taken.has(one)) return one;
  }
}

/** A port nobody listens on now. */
export const freePort = (): Promise<number> => listenOnce(0);

/** True when nobody answers on the port, and it can be listened on. Some systems allow the second where a wildcard listens. */
export async function isFree(candidate: number): Promise<boolean> {
  if (await accepts(candidate)) return false;
  try {
    await listenOnce(candidate);
    return true;
  } catch {
    return false; // taken, or not ours to take
  }
}

/** True when something takes a connection on this port of the loopback. */
export function accepts(candidate: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: candidate, timeout: 1_000 });
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

function listenOnce(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: wanted, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no address')),
      );
    });
  });
}
