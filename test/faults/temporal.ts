/**
 * Temporal of a world, in either of two ways: the dev server on SQLite, or the server of an installation on
 * PostgreSQL.
 */
import { join } from 'node:path';
import { readSettings } from '../../src/config.ts';
import { runCommand } from '../../src/local/process/exec.ts';
import { lineProgress } from '../../src/local/process/progress.ts';
import { temporalArguments } from '../../src/local/setup/temporal-server.ts';
import { temporalReady } from '../support/temporal-ready.ts';
import { ROOT } from '../support/source.ts';
import { freePort } from '../support/port.ts';
import { makeDatabase } from './postgres.ts';
import { Process, type ProcessOf } from './processes.ts';
import {
  ensureTemporalServer,
  pinnedServer,
  PORT_NAMES,
  serverEnvironment,
  type Pinned,
  type PortName,
  type TemporalPrograms,
} from './temporal-server.ts';

export type DatabaseKind = 'sqlite' | 'postgres';
const SCHEMA_MS = 120_000;

export interface TemporalOf {
  temporal: Process;
  /** A separate process, if there is one; it must start first. */
  database?: Process;
  /** Whether the database contains this text, if its files do not show that. */
  holds?(text: string): Promise<boolean>;
}
interface Options {
  home: string;
  /** The port of the frontend. */
  port: number;
  /** For the dev server; the other has the setting of an installation. */
  pollExpiry: string;
  log(name: string): string;
  /** Further settings of the server on PostgreSQL, and how to find out that it is ready. */
  environment?(pinned: Pinned): Record<string, string>;
  ready?: ProcessOf['ready'];
}

export function makeTemporal(kind: DatabaseKind, options: Options): Promise<TemporalOf> {
  return kind === 'postgres' ? onPostgres(options) : Promise.resolve(onSqlite(options));
}

const readyAt =
  (port: number): NonNullable<ProcessOf['ready']> =>
  async () => {
    await temporalReady({ temporalNamespace: 'davit' }, `127.0.0.1:${port}`, 2_000);
    return true;
  };

function onSqlite({ home, port, pollExpiry, log }: Options): TemporalOf {
  const uiPort = port === 65_535 ? 1_024 : port + 1;
  const args = temporalArguments({ home, port, uiPort });
  return {
    temporal: new Process({
      name: 'temporal',
      program: join(readSettings().cache, 'temporal-1.5.1', 'temporal'),
      args: [
        ...args
          .filter((one, at) => !one.startsWith('--ui') && !args[at - 1]?.startsWith('--ui'))
          .map((one) => one.replace(/(longPollExpirationInterval)=.*/, `$1="${pollExpiry}"`)),
        '--headless',
      ],
      env: process.env,
      log: log('temporal'),
      ready: readyAt(port),
    }),
  };
}

async function onPostgres({
  home,
  port,
  log,
  environment,
  ready = readyAt(port),
}: Options): Promise<TemporalOf> {
  const settings = readSettings();
  const progress = lineProgress((line) => void process.stderr.write(`${line}\n`), settings.color);
  const pinned = await pinnedServer();
  const programs = await ensureTemporalServer(settings, pinned.version, progress);
  const made = await makeDatabase(settings, { home, port: await freePort(), log: log('postgres') }, progress);
  const database = new Process(made.process);
  await database.start();
  try {
    await schema(programs, made);
  } catch (error) {
    await database.end('SIGKILL');
    throw error;
  }
  const own = await Promise.all(PORT_NAMES.map(async (name) => [name, await freePort()] as const));
  const ports = { ...(Object.fromEntries(own) as Record<PortName, number>), FRONTEND_GRPC_PORT: port };
  const env = {
    PATH: settings.path.join(':'),
    ...serverEnvironment(pinned, { ports, database: made }),
    ...environment?.(pinned),
  };
  const temporal = new Process({
    name: 'temporal',
    program: programs.server,
    args: ['start'],
    env,
    log: log('temporal'),
    ready,
  });
  return { temporal, database, holds: made.holds };
}

/** Runs the script of an installation twice: an upgrade runs it on an existing database. */
async function schema(
  programs: TemporalPrograms,
  database: { port: number; password: string },
): Promise<void> {
  const env = {
    PATH: `${join(programs.tool, '..')}:${readSettings().path.join(':')}`,
    SQL_HOST: '127.0.0.1',
    SQL_PORT: String(database.port),
    SQL_PASSWORD: database.password,
  };
  for (const time of ['first', 'second']) {
    const script = join(ROOT, 'compose', 'temporal-schema.sh');
    const done = await runCommand('sh', [script], { env, timeoutMs: SCHEMA_MS });
    if (done.code !== 0)
      throw new Error(`compose/temporal-schema.sh, ${time} time: ${(done.stdout + done.stderr).slice(-600)}`);
  }
}
