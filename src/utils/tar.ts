/** What every tar that davit writes has in common. */
import type { Pack } from 'tar-stream';

export type TarHeader = Parameters<Pack['entry']>[0];

/** Files of a job belong to root, independent of their author. */
export const ROOT_OWNER = { uid: 0, gid: 0, uname: 'root', gname: 'root' } as const;

/** Open modes, as GitLab's helper leaves them: any user of an image can read, write and delete. */
export const FOLDER_MODE = 0o777;
export const openMode = (mode: number): number => ((mode & 0o111) === 0 ? 0o666 : 0o777);

/** Writes an entry with existing content: a text, bytes, or nothing. */
export function put(archive: Pack, header: TarHeader, content: string | Buffer = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
    // An archive that is ended meanwhile ends its entry, which nobody else listens to.
    entry.on('error', reject);
  });
}
