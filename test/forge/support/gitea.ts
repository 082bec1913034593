/**
 * A Gitea of its own: free port, own folder, SQLite. Everything about it is in the folder, so that any process
 * of the tests can stop it and start it again.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isAlive } from '../../../src/utils/is-alive.ts';
import { eventually } from '../../support/davit.ts';

/** How long a start, a stop or one request may take on a busy machine. */
export const GITEA_MS = 60_000;

export interface GiteaPlace {
  /** The part `gitea`. */
  part: string;
  folder: string;
  port: number;
}
/** A password works where a token does, and needs no scopes. */
export interface Account {
  name: string;
  secret: string;
}

export const urlOf = ({ port }: GiteaPlace): string => `http://127.0.0.1:${port}`;
const configOf = ({ folder }: GiteaPlace): string => join(folder, 'app.ini');
const pidFileOf = ({ folder }: GiteaPlace): string => join(folder, 'pid');

/** Writes the configuration and makes the database with one administrator. */
export function prepareGitea(place: GiteaPlace, administrator: Account): void {
  mkdirSync(place.folder, { recursive: true });
  writeFileSync(configOf(place), configuration(place), { mode: 0o600 });
  gitea(place, 'migrate');
  const account = ['--username', administrator.name, '--password', administrator.secret];
  const mail = ['--email', `${administrator.name}@example.com`, '--must-change-password=false'];
  gitea(place, 'admin', 'user', 'create', '--admin', ...account, ...mail);
}

/** Resolves when it answers. */
export async function startGitea(place: GiteaPlace): Promise<void> {
  const log = openSync(join(place.folder, 'output'), 'a');
  const child = spawn(join(place.part, 'gitea'), ['web', '--config', configOf(place)], {
    cwd: place.folder,
    env: environment(place),
    stdio: ['ignore', log, log],
    detached: true,
  });
  const failed = new Promise<never>((_resolve, reject) => child.once('error', reject));
  child.unref();
  if (child.pid !== undefined) writeFileSync(pidFileOf(place), String(child.pid));
  await Promise.race([failed, eventually('Gitea answers', GITEA_MS, () => answers(place))]);
}

export async function stopGitea(place: GiteaPlace): Promise<void> {
  if (!existsSync(pidFileOf(place))) return;
  const pid = Number(readFileSync(pidFileOf(place), 'utf8'));
  rmSync(pidFileOf(place));
  if (!isAlive(pid)) return;
  process.kill(pid, 'SIGKILL');
  await eventually('Gitea has stopped', GITEA_MS, () => !isAlive(pid) || undefined);
}

async function answers(place: GiteaPlace): Promise<true | undefined> {
  try {
    return (await fetch(`${urlOf(place)}/api/healthz`)).ok || undefined;
  } catch {
    return undefined; // it does not listen yet
  }
}

function gitea(place: GiteaPlace, ...args: string[]): void {
  const done = spawnSync(join(place.part, 'gitea'), [...args, '--config', configOf(place)], {
    cwd: place.folder,
    env: environment(place),
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`gitea ${args[0]}: ${done.stdout}${done.stderr}`);
}

const environment = ({ folder }: GiteaPlace): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: folder,
  GITEA_WORK_DIR: folder,
});

function configuration(place: GiteaPlace): string {
  const { folder, port, part } = place;
  return `APP_NAME = Forge
RUN_MODE = prod
RUN_USER = ${userInfo().username}
; A service that listens on the loopback, for the time of a test.
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = ${folder}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = ${port}
ROOT_URL = ${urlOf(place)}/
STATIC_ROOT_PATH = ${join(part, 'static')}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = ${databaseOf(place)}
[security]
INSTALL_LOCK = true
SECRET_KEY = ${randomBytes(24).toString('hex')}
PASSWORD_HASH_ALGO = pbkdf2$10$50
[oauth2]
ENABLED = false
[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 5
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
LEVEL = warn
`;
}

const databaseOf = ({ folder }: GiteaPlace): string => join(folder, 'gitea.db');

/** A delivery of a webhook, as Gitea's page of the webhook shows it. */
export interface Delivered {
  id: number;
  uuid: string;
  event: string;
  payload: unknown;
  /** Status of the answer; 0: none came. */
  status: number;
  answer: string;
}

/** Its times in nanoseconds are no JavaScript numbers. */
const COLUMNS = 'id, uuid, event_type, payload_content, response_content';

/** Deliveries of a webhook after the one with this id that have ended. Gitea's API does not have them. */
export function deliveriesOf(
  place: GiteaPlace,
  { hook, after }: { hook: number; after: number },
): Delivered[] {
  const database = new DatabaseSync(databaseOf(place), { readOnly: true, timeout: GITEA_MS });
  try {
    // Gitea marks a delivery before it sends it; the answer, or that there was none, is written afterwards.
    const ended = "is_delivered AND response_content <> ''";
    const rows = database
      .prepare(`SELECT ${COLUMNS} FROM hook_task WHERE hook_id = ? AND id > ? AND ${ended} ORDER BY id`)
      .all(hook, after);
    return rows.map(deliveredOf);
  } finally {
    database.close();
  }
}

/** Id of the newest delivery of a webhook, ended or not. */
export function lastDelivery(place: GiteaPlace, hook: number): number {
  const database = new DatabaseSync(databaseOf(place), { readOnly: true, timeout: GITEA_MS });
  try {
    const row = database.prepare('SELECT max(id) AS id FROM hook_task WHERE hook_id = ?').get(hook);
    return Number(row?.id ?? 0);
  } finally {
    database.close();
  }
}

function deliveredOf(row: Record<string, unknown>): Delivered {
  const text = String(row.response_content ?? '');
  const response = (text === '' ? {} : JSON.parse(text)) as { status?: number; body?: string };
  return {
    id: Number(row.id),
    uuid: String(row.uuid),
    event: String(row.event_type),
    payload: JSON.parse(String(row.payload_content)),
    status: response.status ?? 0,
    answer: response.body ?? '',
  };
}
