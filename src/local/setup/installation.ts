/** The installation file of this machine: found, and read where the command line needs to know what is in it. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { installationSchema, LOCAL_TARGET, targetSchema, type Installation } from '../../installation.ts';
import { parseInstallation } from '../../compiler/installation-file.ts';
import { problemText } from '../../compiler/problems.ts';
import type { Arch } from '../../plan/model/ids.ts';

export const INSTALLATION_NAME = 'davit.config.yml';

export interface FoundInstallation {
  /** Absolute; undefined: there is none, and the default for one machine counts. */
  path?: string;
  installation: Installation;
}

/** DAVIT_CONFIG, else `davit.config.yml` in davit's home. Rejects with `installation/invalid`, every mistake with its place. */
export async function readInstallation(settings: Settings): Promise<FoundInstallation> {
  const path = await findInstallation(settings);
  if (!path) return { installation: withTarget(installationSchema.parse({ default_arch: hostArch() })) };
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new DavitError('installation/invalid', `${path} cannot be read.`, { cause });
  }
  const parsed = parseInstallation(text, path);
  if (parsed.ok) return { path, installation: withTarget(parsed.value) };
  throw new DavitError('installation/invalid', parsed.problems.map(problemText).join('\n'));
}

/** Where no target is named, the machine's own engine is one. */
const withTarget = (installation: Installation): Installation =>
  installation.targets.length > 0
    ? installation
    : { ...installation, targets: [targetSchema.parse({ name: LOCAL_TARGET })] };

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
