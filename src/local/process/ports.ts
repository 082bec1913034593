/**
 * Loopback ports: those of the last start if they are free, because addresses are part of image names; else
 * others.
 */
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

const fileOf = ({ home }: Pick<Settings, 'home'>): string => join(home, 'ports.json');

/** The ports of the last start; empty before the first. */
export async function keptPorts(settings: Pick<Settings, 'home'>): Promise<Partial<Ports>> {
  const parsed = schema.safeParse(await readJson(fileOf(settings)));
  return parsed.success ? parsed.data : {};
}

/** Chooses a different free port for each name and stores the choice in `HOME/ports.json`. */
export async function choosePorts(settings: Pick<Settings, 'home'>): Promise<Ports> {
  const last = await keptPorts(settings);
  const chosen: Ports = { ...PREFERRED_PORTS };
  const taken = new Set<number>();
  for (const name of NAMES) {
    const wanted = [last[name], PREFERRED_PORTS[name]].filter((one) => one !== undefined);
    const value = (await firstFree(wanted, taken)) ?? (await anyFree(taken));
    taken.add(value);
    chosen[name] = value;
  }
  await writeJson(fileOf(settings), chosen);
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

/** A port that is free now. */
export const freePort = (): Promise<number> => listenOnce(0);

/**
 * True if no connection is accepted and the port can be bound; some systems allow a bind beside a wildcard
 * listener.
 */
export async function isFree(candidate: number): Promise<boolean> {
  if (await accepts(candidate)) return false;
  try {
    await listenOnce(candidate);
    return true;
  } catch {
    return false; // in use or not permitted
  }
}

/** True if something accepts connections on this loopback port. */
export function accepts(candidate: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: candidate, timeout: 1_000 });
    const finish = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
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
