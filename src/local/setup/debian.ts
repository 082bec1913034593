/** Installs Debian packages: only as root, and only after reporting it. */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { outputTail, runCommand } from '../process/exec.ts';
import type { Settings } from '../../config.ts';
import type { Progress } from '../process/progress.ts';
import type { Change } from './changes.ts';
import { sizeText } from '../../utils/size-text.ts';
import { recordInstalled } from './install-record.ts';

export const isRoot = (): boolean => process.platform === 'linux' && userInfo().uid === 0;

/** True on Debian and its derivatives (os-release, ID and ID_LIKE). */
export async function isDebian(): Promise<boolean> {
  try {
    return /^ID(_LIKE)?=.*\bdebian\b/m.test(await readFile('/etc/os-release', 'utf8'));
  } catch {
    return false; // the file does not exist: another system
  }
}

/** True on Debian and Ubuntu themselves, whose packages are known to work as an engine. */
export async function isDebianOrUbuntu(): Promise<boolean> {
  try {
    return /^ID="?(debian|ubuntu)"?$/m.test(await readFile('/etc/os-release', 'utf8'));
  } catch {
    return false; // the file does not exist: another system
  }
}

export const mayInstall = async (): Promise<boolean> => isRoot() && (await isDebian());

const APT = { DEBIAN_FRONTEND: 'noninteractive' };
const APT_MS = 10 * 60_000;

/** Those of the packages that are not installed. */
export async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const states = await Promise.all(
    packages.map((name) => runCommand('dpkg-query', ['-W', '-f', '${db:Status-Status}', name])),
  );
  return packages.filter((_name, index) => states[index]?.stdout.trim() !== 'installed');
}

/** Undefined if all of them are installed. The size includes what they depend on. */
export async function packageChange(packages: readonly string[], why: string): Promise<Change | undefined> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return undefined;
  const words = ['install', '-y', '--print-uris', '--no-install-recommends', ...missing];
  const done = await runCommand('apt-get', ['-o', 'Debug::NoLocking=1', ...words], {
    env: APT,
    timeoutMs: APT_MS,
  });
  const size =
    done.code === 0
      ? aptSize(done.stdout)
      : 'size unknown: the package lists are empty, and are downloaded too';
  return { act: 'install', what: `Debian packages ${missing.join(' ')}`, why, size };
}

/** From the output of `apt-get install --print-uris`: what is downloaded, and what it takes on the disk. */
export function aptSize(output: string): string {
  let bytes = 0;
  for (const [, size = '0'] of output.matchAll(/^'[^']+' \S+ (\d+)/gm)) bytes += Number(size);
  const disk = /After this operation, ([\d.,]+ [kMG]?B) of additional/.exec(output)?.[1];
  return `${sizeText(bytes)} to download${disk === undefined ? '' : `, ${disk} on the disk`}`;
}

/** Installs packages and records those that were missing. Rejects with an Error that contains the last output of apt. */
export async function installRecorded(
  settings: Pick<Settings, 'home'>,
  progress: Progress,
  packages: string[],
): Promise<void> {
  recordInstalled(settings, { packages: await missingPackages(packages) });
  await installPackages(progress, packages);
}

/** Installs packages. Rejects with an Error that contains the last output of apt. */
export async function installPackages(progress: Progress, packages: string[]): Promise<void> {
  progress.note(`Installing Debian packages: ${packages.join(' ')}`);
  await progress.step(`apt-get install ${packages.join(' ')}`, async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    const first = await runCommand('apt-get', install, { env: APT, timeoutMs: APT_MS });
    if (first.code === 0) return;
    await runCommand('apt-get', ['update'], { env: APT, timeoutMs: APT_MS });
    const second = await runCommand('apt-get', install, { env: APT, timeoutMs: APT_MS });
    if (second.code !== 0) throw new Error(`apt-get: ${outputTail(second)}`);
  });
}
