/**
 * The unit of systemd that keeps a machine's worker running: a template for all machines of this home, and a file of
 * settings for each. Root gets units of the system, another user units of its own. No secret is in either.
 */
import { readFile, stat } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../config.ts';
import { CODE_EXTENSION } from '../../utils/code-extension.ts';
import { SMALL_HEAP } from '../process/memory.ts';
import { machinePaths, type MachineRecord } from './record.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const TEMPLATE = join(ROOT, 'deploy', 'systemd', 'davit-worker@.service');
const MAIN = join(ROOT, 'src', 'cli', `main${CODE_EXTENSION}`);
const NAME = 'davit-worker@.service';
/** Only the system's manager can do these. */
const OF_ROOT = /^(?:User|StateDirectory\w*|CacheDirectory|CapabilityBoundingSet|Protect\w+|Private\w+)=/;

export interface UnitFile {
  path: string;
  text: string;
  mode: number;
}
export interface UnitPlace {
  /** Units of the machine, which root may write. */
  system: boolean;
  folder: string;
}

export function unitPlace(): UnitPlace {
  const system = userInfo().uid === 0;
  return { system, folder: system ? '/etc/systemd/system' : join(homedir(), '.config', 'systemd', 'user') };
}
export const unitName = (name: string): string => `davit-worker@${name}.service`;
/** Before the words of systemctl and systemd-analyze. */
export const unitScope = ({ system }: UnitPlace): string[] => (system ? [] : ['--user']);

/** systemd manages this machine. */
export const systemdRuns = (): Promise<boolean> =>
  stat('/run/systemd/system').then(
    () => true,
    () => false, // another init system, or none
  );

/** The template, and the settings of this machine. */
export async function unitFiles(
  settings: Settings,
  record: Pick<MachineRecord, 'name'>,
  place: UnitPlace,
): Promise<UnitFile[]> {
  return [
    {
      path: join(place.folder, NAME),
      text: unitText(await readFile(TEMPLATE, 'utf8'), settings, place),
      mode: 0o644,
    },
    {
      path: machinePaths(settings, record.name).environment,
      text: environmentText(settings),
      mode: 0o600,
    },
  ];
}

/** deploy/systemd/davit-worker@.service for this installation. Pure. */
export function unitText(template: string, { home, cache }: Settings, { system }: UnitPlace): string {
  const environment = machinePaths({ home }, '%i').environment;
  const command = [process.execPath, ...SMALL_HEAP, MAIN, 'worker', '--machine'];
  const own: Record<string, string | undefined> = {
    User: undefined,
    Environment: `${quoted(`DAVIT_HOME=${home}`)} ${quoted(`DAVIT_CACHE=${cache}`)}`,
    ExecStart: `${command.map(quoted).join(' ')} %i`,
    StateDirectory: undefined,
    StateDirectoryMode: undefined,
    CacheDirectory: undefined,
    ProtectSystem: `strict\nReadWritePaths=${quoted(home)} ${quoted(cache)}`,
    WantedBy: system ? 'multi-user.target' : 'default.target',
  };
  const lines = template
    .split('\n')
    .filter((line) => !line.startsWith('#') && (system || !OF_ROOT.test(line)))
    .flatMap((line) => {
      const [key = ''] = line.split('=');
      if (key === 'EnvironmentFile') return [];
      if (key === 'ExecStart')
        return [
          `EnvironmentFile=${escaped(environment.replace(/%i\b/, '\0'))}`,
          `ExecStart=${own.ExecStart}`,
        ];
      if (!Object.hasOwn(own, key)) return [line];
      return own[key] === undefined ? [] : [`${key}=${own[key]}`];
    });
  return `# Written by davit worker add.\n${lines.join('\n').replaceAll('\0', '%i')}`;
}

/** `%` begins a specifier; `$` a variable in a command. */
const escaped = (text: string): string => text.replaceAll('%', '%%');
const quoted = (text: string): string =>
  /^[A-Za-z0-9_./=:@+-]+$/.test(text)
    ? text
    : `"${escaped(text).replaceAll('$', '$$$$').replace(/["\\]/g, '\\$&')}"`;

/** What a worker needs beside its own files: where the rest of the installation is. Pure. */
export function environmentText(settings: Settings): string {
  const { temporalTls: tls } = settings;
  const values: Record<string, string | undefined> = {
    DAVIT_SERVER: settings.serverUrl,
    DAVIT_CA_FILE: settings.caFile,
    DAVIT_PAYLOAD_KEY_FILE: settings.payloadKeyFile,
    TEMPORAL_ADDRESS: settings.temporalAddress,
    TEMPORAL_NAMESPACE: settings.temporalNamespace,
    TEMPORAL_API_KEY_FILE: settings.temporalApiKeyFile,
    TEMPORAL_TLS: tls ? 'true' : undefined,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: tls?.ca,
    TEMPORAL_TLS_CLIENT_CERT_PATH: tls?.cert,
    TEMPORAL_TLS_CLIENT_KEY_PATH: tls?.key,
    TEMPORAL_TLS_SERVER_NAME: tls?.serverName,
  };
  const lines = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replace(/["\\$`]/g, '\\$&')}"\n`],
  );
  return `# Where the installation of this worker is. The token is in the file beside it.\n${lines.join('')}`;
}
