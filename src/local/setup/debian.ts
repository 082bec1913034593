/** What davit may install by itself: Debian packages, as root, and only after it has said so. */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { lastWords, runCommand } from '../process/exec.ts';
import type { Progress } from '../process/progress.ts';

export const isRoot = (): boolean => process.platform === 'linux' && userInfo().uid === 0;

/** True on Debian and what derives from it (os-release, ID and ID_LIKE). */
export async function isDebian(): Promise<boolean> {
  try {
    return /^ID(_LIKE)?=.*\bdebian\b/m.test(await readFile('/etc/os-release', 'utf8'));
  } catch {
    return false; // no such file: another system
  }
}

export const mayInstall = async (): Promise<boolean> => isRoot() && (await isDebian());

const APT = { DEBIAN_FRONTEND: 'noninteractive' };
const APT_MS = 10 * 60_000;

/** Installs packages. Rejects with an Error that holds apt's last words. */
export async function installPackages(progress: Progress, packages: string[]): Promise<void> {
  progress.note(`This installs Debian packages: ${packages.join(' ')}`);
  await progress.step(`apt-get install ${packages.join(' ')}`, async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    const first = await runCommand('apt-get', install, { env: APT, timeoutMs: APT_MS });
    if (first.code === 0) return;
    await runCommand('apt-get', ['update'], { env: APT, timeoutMs: APT_MS });
    const second = await runCommand('apt-get', install, { env: APT, timeoutMs: APT_MS });
    if (second.code !== 0) throw new Error(`apt-get: ${lastWords(second)}`);
  });
}
