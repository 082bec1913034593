/** Determines which architectures the local engine can run, and sets up emulation for the others. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import { ARCHES, type Arch } from '../../plan/model/ids.ts';
import { outputTail, runCommand } from '../process/exec.ts';
import type { Change } from './changes.ts';
import { installRecorded, isRoot, mayInstall, packageChange } from './debian.ts';
import type { Settings } from '../../config.ts';
import { recordInstalled } from './install-record.ts';
import type { Progress } from '../process/progress.ts';
import { messageOf } from '../../utils/message.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';
const RULES = '/usr/lib/binfmt.d';
/** The well-known image that registers QEMU; for systems without Debian's packages. */
const BINFMT_IMAGE = 'tonistiigi/binfmt:qemu-v9.2.2';
/** Compressed, of one architecture. */
const BINFMT_SIZE = '38 MB';
const QEMU_PACKAGE = 'qemu-user-static';
const QEMU: Record<Arch, string> = { arm32: 'qemu-arm', arm64: 'qemu-aarch64', amd64: 'qemu-x86_64' };
const BINFMT_NAMES: Record<Arch, string> = { arm32: 'arm', arm64: 'arm64', amd64: 'amd64' };

export interface Ability {
  arch: Arch;
  how: 'native' | 'emulated' | 'none';
  /** The reason, for people; only for `none`. */
  reason?: string;
}

/** What the engine can run now, without changing anything. A worker verifies it when it starts. */
export async function abilities(info: Pick<EngineInfo, 'arch' | 'address'>): Promise<Ability[]> {
  const found: Ability[] = [];
  for (const arch of ARCHES) found.push({ arch, ...(await ability(info, arch)) });
  return found;
}

async function ability(
  info: Pick<EngineInfo, 'arch' | 'address'>,
  arch: Arch,
): Promise<Omit<Ability, 'arch'>> {
  if (arch === info.arch) return { how: 'native' };
  // Docker Desktop includes emulation; for other engines the check of the worker decides.
  if (!info.address.startsWith('unix://') || process.platform !== 'linux') return { how: 'emulated' };
  if (await isRegistered(arch)) return { how: 'emulated' };
  if (arch === 'arm32' && info.arch === 'arm64' && (await runsArm32())) return { how: 'native' };
  return { how: 'none', reason: `no emulation for ${arch} is registered with the kernel (binfmt_misc)` };
}

/** `lscpu` reports whether the processor runs 32-bit programs. */
async function runsArm32(): Promise<boolean> {
  return /CPU op-mode\(s\):.*32-bit/.test((await runCommand('lscpu', [])).stdout);
}

async function isRegistered(arch: Arch): Promise<boolean> {
  try {
    const names = await readdir(BINFMT);
    const name = names.find((one) => one === QEMU[arch] || one === `${QEMU[arch]}-static`);
    if (!name) return false;
    const rule = await readFile(`${BINFMT}/${name}`, 'utf8');
    // Without flag F the interpreter would have to be inside every image.
    return rule.startsWith('enabled') && /^flags:.*F/m.test(rule);
  } catch {
    return false; // not mounted: nothing is registered
  }
}

/** The same for an engine that davit is to install on this machine. */
export const engineToComeChanges = (arch: Arch): Promise<Change[]> =>
  emulationChanges({ arch, address: 'unix:///var/run/docker.sock' });

/** What `ensureEmulation` would change. */
export async function emulationChanges(info: Pick<EngineInfo, 'arch' | 'address'>): Promise<Change[]> {
  const missing = (await abilities(info)).filter((one) => one.how === 'none').map((one) => one.arch);
  if (missing.length === 0) return [];
  const why = `jobs for ${missing.join(' and ')} on this machine`;
  const undo = 'echo -1 > /proc/sys/fs/binfmt_misc/NAME, or a restart of the machine';
  const register: Change = { act: 'register', what: 'QEMU with the kernel (binfmt_misc)', why, undo };
  if (!(await mayInstall())) {
    const what = `QEMU with the kernel (binfmt_misc), by a privileged container of ${BINFMT_IMAGE}`;
    return [{ ...register, what, size: `${BINFMT_SIZE} to download` }];
  }
  const rules = await namesIn(RULES);
  const hasRules = missing.every((arch) => rules.includes(`${QEMU[arch]}.conf`));
  const packages = hasRules ? undefined : await packageChange([QEMU_PACKAGE], why);
  return packages ? [packages, register] : [register];
}

/**
 * Sets up missing emulation if the kernel and this user allow it. Never rejects: it reports what is still
 * missing.
 */
export async function ensureEmulation(
  settings: Pick<Settings, 'home'>,
  local: { engine: Engine; info: EngineInfo },
  progress: Progress,
  wanted: readonly Arch[] = ARCHES,
): Promise<Ability[]> {
  const before = (await abilities(local.info)).filter((one) => wanted.includes(one.arch));
  const missing = before.filter((one) => one.how === 'none').map((one) => one.arch);
  if (missing.length === 0) return before;
  let why = '';
  try {
    recordInstalled(settings, { emulation: missing });
    if (await mayInstall()) await registerHere(settings, missing, progress);
    else await registerByImage(local.engine, missing, progress);
  } catch (error) {
    why = messageOf(error);
  }
  const after = (await abilities(local.info)).filter((one) => wanted.includes(one.arch));
  return after.map((one) => (one.how === 'none' && why ? { ...one, reason: why } : one));
}

/**
 * Writes Debian's rules for its interpreters to the kernel, as systemd-binfmt does on systems with systemd.
 */
async function registerHere(
  settings: Pick<Settings, 'home'>,
  missing: Arch[],
  progress: Progress,
): Promise<void> {
  const rules = await namesIn(RULES);
  if (!missing.every((arch) => rules.includes(`${QEMU[arch]}.conf`)))
    await installRecorded(settings, progress, [QEMU_PACKAGE]);
  if (!isRoot()) return;
  progress.note(`Registering QEMU with the kernel for ${missing.join(' and ')} (binfmt_misc).`);
  if (!(await namesIn(BINFMT)).includes('register')) {
    const done = await runCommand('mount', ['-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
    if (done.code !== 0) throw new Error(`Cannot mount binfmt_misc: ${outputTail(done)}`);
  }
  for (const arch of missing) {
    if (await isRegistered(arch)) continue;
    const text = await readFile(`${RULES}/${QEMU[arch]}.conf`, 'utf8');
    for (const line of text.split('\n'))
      if (line.startsWith(':')) await writeFile(`${BINFMT}/register`, line);
  }
}

async function registerByImage(engine: Engine, missing: Arch[], progress: Progress): Promise<void> {
  const names = missing.map((arch) => BINFMT_NAMES[arch]).join(',');
  progress.note(
    `Registering QEMU with the engine's kernel for ${names}, by a privileged container of ${BINFMT_IMAGE}.`,
  );
  const name = `davit-binfmt-${process.pid}`;
  await progress.step('emulation', async () => {
    await engine.pullImage(BINFMT_IMAGE, { signal: AbortSignal.timeout(120_000) });
    try {
      await engine.createContainer({
        name,
        image: BINFMT_IMAGE,
        labels: { 'davit.kind': 'helper' },
        command: ['--install', names],
        volumes: [],
        privileged: true,
        logMaxBytes: 1024 * 1024,
      });
      await engine.startContainer(name);
      const state = await engine.waitContainer(name, AbortSignal.timeout(60_000));
      if (state.exitCode !== 0) throw new Error(`${BINFMT_IMAGE} ended with ${state.exitCode}`);
    } finally {
      await engine.removeContainer(name);
    }
  });
}

/**
 * Takes registrations of these architectures out of the kernel again. Returns those that are still there: only root may do it
 * from outside of a container.
 */
export async function unregisterEmulation(arches: readonly Arch[]): Promise<Arch[]> {
  const left: Arch[] = [];
  for (const arch of arches) {
    if (!(await isRegistered(arch))) continue;
    const names = (await namesIn(BINFMT)).filter(
      (one) => one === QEMU[arch] || one === `${QEMU[arch]}-static`,
    );
    try {
      for (const name of names) await writeFile(`${BINFMT}/${name}`, '-1');
    } catch {
      left.push(arch); // no right to write there: said by the caller
    }
  }
  return left;
}

const namesIn = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder);
  } catch {
    return []; // the folder does not exist
  }
};
