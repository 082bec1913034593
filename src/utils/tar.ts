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

/**
 * Names that are not UTF-8, as bytes: git and Linux allow them. They are records of a pax header of their own, as GNU
 * tar writes them. The hexadecimal copies are for davit: readers that decode names as UTF-8 lose the bytes.
 */
export interface RawNames {
  name: Buffer;
  linkname?: Buffer;
}
const RAW = { name: 'DAVIT.path', linkname: 'DAVIT.linkpath' } as const;
const PAX = { name: 'path', linkname: 'linkpath' } as const;
/** The name of the entry behind a header of raw names: short and ASCII, so that it gets no further pax header. */
const STAND_IN = 'davit-raw-name';

/**
 * Writes the names of the next entry; returns its header. Nothing else may be written meanwhile. tar-stream has no entry of
 * this kind: it encodes all names as UTF-8.
 */
export function putRawNames<T extends TarHeader>(archive: Pack, header: T, raw: RawNames): T {
  const parts = (['name', 'linkname'] as const).flatMap((key) => {
    const bytes = raw[key];
    if (!bytes) return [];
    return [paxRecord(PAX[key], bytes), paxRecord(RAW[key], Buffer.from(bytes.toString('hex')))];
  });
  for (const block of paxHeader(Buffer.concat(parts))) archive.push(block);
  return { ...header, name: STAND_IN, ...(raw.linkname && { linkname: STAND_IN }) };
}

const BLOCK = 512;

/** A header of POSIX pax for the next entry (type `x`), and its records. */
function paxHeader(records: Buffer): Buffer[] {
  const block = Buffer.alloc(BLOCK);
  block.write('PaxHeader', 0);
  block.write('0000644', 100);
  for (const owner of [108, 116]) block.write('0000000', owner);
  block.write(records.length.toString(8).padStart(11, '0'), 124);
  block.write('00000000000', 136);
  block.write('        x', 148);
  block.write('ustar', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [block, records, Buffer.alloc((BLOCK - (records.length % BLOCK)) % BLOCK)];
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself (POSIX, pax). */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = 1 + key.length + 1 + value.length + 1;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

/**
 * The names of an entry whose names are not UTF-8, as davit wrote them; undefined for any other entry, and if they are
 * not those that its reader sees.
 */
export function rawNamesOf(header: {
  name: string;
  linkname?: string | null;
  pax?: unknown;
}): RawNames | undefined {
  const name = bytesOf(header.pax, RAW.name, header.name);
  const linkname = bytesOf(header.pax, RAW.linkname, header.linkname ?? '');
  if (!name && !linkname) return undefined;
  return { name: name ?? Buffer.from(header.name), ...(linkname && { linkname }) };
}

function bytesOf(pax: unknown, key: string, shown: string): Buffer | undefined {
  const hex: unknown = typeof pax === 'object' && pax !== null ? Reflect.get(pax, key) : undefined;
  if (typeof hex !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(hex)) return undefined;
  const bytes = Buffer.from(hex, 'hex');
  return bytes.toString() === shown ? bytes : undefined;
}
