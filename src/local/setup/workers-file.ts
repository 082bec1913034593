/** Machines whose tokens were made with the installation, before its server ran (`DAVIT_WORKERS_FILE`). */
import { DavitError } from '../../errors.ts';
import { readIfThere } from '../process/files.ts';

export interface FileWorker {
  name: string;
  token_sha256: string;
  /** No limits of the server's: the worker's own file decides. */
  forks: true;
  protected_only: false;
}

const LINE = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62}) ([0-9a-f]{64})$/;

/** Rejects with `installation/invalid` for a missing file, or a line that is none of these. */
export async function readWorkersFile(path: string): Promise<FileWorker[]> {
  const text = await readIfThere(path);
  if (text === undefined)
    throw new DavitError('installation/invalid', `The file ${path} of DAVIT_WORKERS_FILE is missing.`);
  return text.split('\n').flatMap((line, index): FileWorker[] => {
    if (line.trim() === '') return [];
    const [, name, hash] = LINE.exec(line.trim()) ?? [];
    if (name === undefined || hash === undefined)
      throw new DavitError(
        'installation/invalid',
        `Line ${index + 1} of ${path} is not a name and the SHA-256 of a token.`,
      );
    return [{ name, token_sha256: hash, forks: true, protected_only: false }];
  });
}
