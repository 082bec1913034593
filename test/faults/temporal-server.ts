/**
 * Temporal as an installation runs it: the server and the schema tool of the version that docker-compose.yml
 * pins. From PATH, else the cache, else built once from their Go module.
 */
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Settings } from '../../src/config.ts';
import { runCommand, which } from '../../src/local/process/exec.ts';
import { buildGoPrograms } from '../../src/local/setup/go-programs.ts';
import type { Progress } from '../../src/local/process/progress.ts';
import { ROOT } from '../support/source.ts';

const MODULE = 'go.temporal.io/server';
const PROGRAMS = { server: 'temporal-server', tool: 'temporal-sql-tool' } as const;
const VERSION_MS = 10_000;

/** Paths of the two programs. */
export type TemporalPrograms = Readonly<Record<keyof typeof PROGRAMS, string>>;
/** The server's settings in docker-compose.yml. */
export interface Pinned {
  version: string;
  environment: Readonly<Record<string, string>>;
}

const service = z.object({ image: z.string(), environment: z.record(z.string(), z.string()) });
const compose = z.object({ services: z.object({ temporal: service }) });

export async function pinnedServer(): Promise<Pinned> {
  const text = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8');
  const { image, environment } = compose.parse(parse(text, { merge: true })).services.temporal;
  return { version: image.slice(image.lastIndexOf(':') + 1), environment };
}

const PORTS = [
  'FRONTEND_GRPC_PORT',
  'FRONTEND_HTTP_PORT',
  'FRONTEND_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
] as const;
/** The name of a port in the server's environment. */
export type PortName = (typeof PORTS)[number];
export const PORT_NAMES: readonly PortName[] = PORTS;

/** The environment of docker-compose.yml, with another place for database, ports and files. Pure. */
export function serverEnvironment(
  pinned: Pinned,
  own: { ports: Readonly<Record<PortName, number>>; database: { port: number; password: string } },
): Record<string, string> {
  // The certificates of docker-compose.yml are in its volumes.
  const plain = Object.entries(pinned.environment).filter(([name]) => !name.startsWith('TEMPORAL_TLS_'));
  return {
    ...Object.fromEntries(plain),
    DB_PORT: String(own.database.port),
    POSTGRES_SEEDS: '127.0.0.1',
    POSTGRES_PWD: own.database.password,
    BIND_ON_IP: '127.0.0.1',
    DYNAMIC_CONFIG_FILE_PATH: join(ROOT, 'compose', 'temporal-dynamic.yaml'),
    LOG_LEVEL: 'warn',
    ...Object.fromEntries(Object.entries(own.ports).map(([name, port]) => [name, String(port)])),
  };
}

/** Rejects with an Error that names what is missing. */
export async function ensureTemporalServer(
  settings: Pick<Settings, 'cache' | 'path'>,
  version: string,
  progress: Progress,
): Promise<TemporalPrograms> {
  const there = (await onPath(settings, version)) ?? (await inCache(settings, version));
  if (there) return there;
  await mkdir(settings.cache, { recursive: true });
  const folder = await mkdtemp(join(settings.cache, '.temporal-server-'));
  try {
    const programs = [
      { path: `${MODULE}/cmd/server`, file: PROGRAMS.server },
      { path: `${MODULE}/cmd/tools/sql`, file: PROGRAMS.tool },
    ];
    const note = `There is no temporal-server ${version}: it is built once from its Go module; on 2 cores 5 to 10 minutes.`;
    await buildGoPrograms(
      settings,
      { title: `Temporal server ${version}`, version, note, programs },
      { folder, progress },
    );
    await intoCache(settings, version, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const built = await inCache(settings, version);
  if (!built) throw new Error(`What was built is not Temporal server ${version}.`);
  return built;
}

/** Both or none, and moved there when they are complete. */
async function intoCache(settings: Pick<Settings, 'cache'>, version: string, from: string): Promise<void> {
  const folder = cacheFolder(settings, version);
  await mkdir(folder, { recursive: true });
  for (const file of Object.values(PROGRAMS)) await rename(join(from, file), join(folder, file));
}

const cacheFolder = (settings: Pick<Settings, 'cache'>, version: string): string =>
  join(settings.cache, `temporal-server-${version}`);

async function onPath(
  settings: Pick<Settings, 'path'>,
  version: string,
): Promise<TemporalPrograms | undefined> {
  const [server, tool] = await Promise.all([
    which(settings, PROGRAMS.server),
    which(settings, PROGRAMS.tool),
  ]);
  return server && tool && (await isVersion(server, version)) ? { server, tool } : undefined;
}

async function inCache(
  settings: Pick<Settings, 'cache'>,
  version: string,
): Promise<TemporalPrograms | undefined> {
  const folder = cacheFolder(settings, version);
  const programs = { server: join(folder, PROGRAMS.server), tool: join(folder, PROGRAMS.tool) };
  for (const path of Object.values(programs))
    if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  return (await isVersion(programs.server, version)) ? programs : undefined;
}

/** `temporal version 1.31.2` */
async function isVersion(server: string, version: string): Promise<boolean> {
  const { stdout } = await runCommand(server, ['--version'], { timeoutMs: VERSION_MS });
  return stdout.trim().endsWith(` ${version}`);
}
