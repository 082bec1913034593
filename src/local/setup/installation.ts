/** Finds and reads the installation file of this machine. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { installationSchema, LOCAL_TARGET, targetSchema, type Installation } from '../../installation.ts';
import { parseInstallation } from '../../compiler/installation-file.ts';
import { problemText } from '../../compiler/problems.ts';
import type { Arch } from '../../plan/model/ids.ts';

export const INSTALLATION_NAME = 'davit.config.yml';

export interface FoundInstallation {
  /** Absolute; undefined if there is none and the defaults for one machine apply. */
  path?: string;
  installation: Installation;
  /** Its target is the machine's own engine, because no file names another. */
  ownTarget: boolean;
}

/**
 * DAVIT_CONFIG, else `davit.config.yml` in davit's home. Rejects with `installation/invalid`, which lists
 * every problem.
 */
export async function readInstallation(settings: Settings): Promise<FoundInstallation> {
  const path = await findInstallation(settings);
  if (!path) return withTarget(installationSchema.parse({ default_arch: hostArch() }));
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new DavitError('installation/invalid', `${path} cannot be read.`, { cause });
  }
  const parsed = parseInstallation(text, path);
  if (parsed.ok) return { path, ...withTarget(parsed.value) };
  throw new DavitError('installation/invalid', parsed.problems.map(problemText).join('\n'));
}

/** The file as it is written, which is valid for this version; undefined if there is none. Rejects as above. */
export async function writtenInstallation(settings: Settings): Promise<unknown> {
  const { path } = await readInstallation(settings);
  return path === undefined ? undefined : parse(await readFile(path, 'utf8'));
}

/**
 * Without targets in the file, the machine's own engine is the target. It belongs to the machine's operator: services
 * that an earlier davit of this machine has left there are adopted.
 */
const withTarget = (installation: Installation): Omit<FoundInstallation, 'path'> =>
  installation.targets.length > 0
    ? { installation, ownTarget: false }
    : {
        installation: { ...installation, targets: [targetSchema.parse({ name: LOCAL_TARGET, adopt: true })] },
        ownTarget: true,
      };

/** Jobs that name no architecture run natively. */
const hostArch = (): Arch =>
  process.arch === 'arm64' ? 'arm64' : process.arch === 'arm' ? 'arm32' : 'amd64';

async function findInstallation(settings: Settings): Promise<string | undefined> {
  if (settings.installationFile) return resolve(settings.installationFile);
  const path = join(settings.home, INSTALLATION_NAME);
  try {
    return (await stat(path)).isFile() ? path : undefined;
  } catch {
    return undefined; // there is none
  }
}
