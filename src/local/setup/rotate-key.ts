import { existsSync } from 'node:fs';
import { rotateKeyFile } from '../../adapters/keys/key-ring.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';

/** Returns how many keys the file has now. Throws `local/home` where there is no installation. */
export function rotateInstallationKey({ keyFile }: Pick<Settings, 'keyFile'>): number {
  if (!existsSync(keyFile))
    throw new DavitError('local/home', `${keyFile} does not exist.`, {
      hint: "Run this on the server's machine, with its DAVIT_HOME or DAVIT_KEY_FILE.",
    });
  try {
    return rotateKeyFile(keyFile);
  } catch (cause) {
    throw new DavitError('local/home', `${keyFile} cannot be replaced.`, { cause });
  }
}
