/**
 * The harness's own PostgreSQL for Temporal: own data folder, own port on the loopback, durability not
 * relaxed (fsync, synchronous_commit), so that kill -9 has the same effect as in an installation.
 *
 * It runs in a PID and an IPC namespace: it is the first process there, and all of its backends die with it
 * at the same moment, before its death is known here. So a new one never starts beside remains of the old
 * one, and nothing is left on the machine.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, constants, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Settings } from '../../src/config.ts';
import { runCommand, which } from '../../src/local/process/exec.ts';
import { installPackages, mayInstall } from '../../src/local/setup/debian.ts';
import type { Progress } from '../../src/local/process/progress.ts';
import type { ProcessOf } from './processes.ts';

const USER = 'temporal';
const HOST = '127.0.0.1';
/** PostgreSQL does not run as root. */
const ACCOUNTS = ['postgres', 'nobody'];
/** Debian's folder of its programs, which are not on the PATH. */
const DEBIAN = '/usr/lib/postgresql';
const TRAVERSE = 0o711;
const command = promisify(execFile);

export interface Database {
  port: number;
  password: string;
  /** How it is started: first in its namespace. */
  process: ProcessOf;
  /**
   * Whether any row of any table holds this text, as text or as bytes. Temporal's payloads are bytes, long
   * ones compressed on disk.
   */
  holds(text: string): Promise<boolean>;
}

export interface DatabaseOptions {
  home: string;
  port: number;
  log: string;
}

/** Creates it without starting it. Rejects with an Error that names what is missing. */
export async function makeDatabase(
  settings: Pick<Settings, 'path'>,
  { home, port, log }: DatabaseOptions,
  progress: Progress,
): Promise<Database> {
  const bin = await ensurePostgres(settings, progress);
  const account = await accountOf();
  const data = join(home, 'postgres');
  const passwordFile = join(home, 'postgres-password');
  const password = randomBytes(16).toString('hex');
  await writeFile(passwordFile, password, { mode: 0o400 });
  await mkdir(data, { mode: 0o700 });
  for (const path of [data, passwordFile]) await chown(path, account.uid, account.gid);
  await chmod(home, TRAVERSE);
  const as = ['--reuid', String(account.uid), '--regid', String(account.gid), '--clear-groups'];
  const made = ['-D', data, '--username', USER, '--auth', 'scram-sha-256', '--pwfile', passwordFile];
  const how = ['--encoding', 'UTF8', '--locale', 'C.UTF-8', '--no-instructions'];
  await command('setpriv', [...as, join(bin, 'initdb'), ...made, ...how], { cwd: data });
  await rm(passwordFile);
  const env = { PATH: settings.path.join(':'), LC_ALL: 'C.UTF-8' };
  const client = ['-h', HOST, '-p', String(port), '-U', USER];
  return {
    port,
    password,
    process: {
      name: 'postgres',
      program: 'unshare',
      args: [
        ...['--pid', '--ipc', '--fork', '--kill-child=KILL', 'setpriv', ...as, '--pdeathsig', 'KILL'],
        ...[join(bin, 'postgres'), '-D', data, ...serverOptions(port)],
      ],
      env,
      log,
      first: true,
      ready: async () => (await runCommand(join(bin, 'pg_isready'), client)).code === 0,
    },
    holds: (text) => holds(text, { bin, client, env: { ...env, PGPASSWORD: password } }),
  };
}

/** Its defaults, except for its address and its use of /dev/shm. */
const serverOptions = (port: number): string[] =>
  [
    `port=${port}`,
    `listen_addresses=${HOST}`,
    'unix_socket_directories=',
    'dynamic_shared_memory_type=mmap',
  ].flatMap((one) => ['-c', one]);

/** `pg_dumpall` writes bytes as hex. grep exits with 0 for a match, with 1 without one. */
async function holds(
  text: string,
  { bin, client, env }: { bin: string; client: string[]; env: Record<string, string> },
): Promise<boolean> {
  const script = 'set -o pipefail; "$@" | grep -F -c -e "$TEXT" -e "$HEX"';
  const dump = [join(bin, 'pg_dumpall'), ...client, '--no-password'];
  const done = await runCommand('bash', ['-c', script, 'bash', ...dump], {
    env: { ...env, TEXT: text, HEX: Buffer.from(text).toString('hex') },
  });
  if (done.stderr.trim() !== '' || ![0, 1].includes(done.code))
    throw new Error(`pg_dumpall: ${done.stderr.slice(-300)}`);
  return Number(done.stdout) > 0;
}

/** Folder of its programs. */
async function ensurePostgres(settings: Pick<Settings, 'path'>, progress: Progress): Promise<string> {
  const there = await findPostgres(settings);
  if (there) return there;
  if (!(await mayInstall())) throw new Error('There is no PostgreSQL on this machine (postgres, initdb).');
  await installPackages(progress, ['postgresql']);
  const installed = await findPostgres(settings);
  if (installed) return installed;
  throw new Error('PostgreSQL was installed, and there is no postgres all the same.');
}

async function findPostgres(settings: Pick<Settings, 'path'>): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const folders = versions
    .toSorted((one, other) => Number(other) - Number(one))
    .map((version) => join(DEBIAN, version, 'bin'));
  for (const folder of folders) if (await isWhole(folder)) return folder;
  const onPath = await which(settings, 'initdb');
  const folder = onPath === undefined ? undefined : join(onPath, '..');
  return folder !== undefined && (await isWhole(folder)) ? folder : undefined;
}

async function isWhole(folder: string): Promise<boolean> {
  for (const name of ['initdb', 'postgres', 'pg_isready', 'pg_dumpall'])
    try {
      await access(join(folder, name), constants.X_OK);
    } catch {
      return false; // it lacks a program
    }
  return true;
}

async function accountOf(): Promise<{ uid: number; gid: number }> {
  for (const name of ACCOUNTS) {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((of) => runCommand('id', [of, name])));
    if (uid?.code === 0 && gid?.code === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error(`PostgreSQL does not run as root, and there is no user ${ACCOUNTS.join(' or ')}.`);
}
