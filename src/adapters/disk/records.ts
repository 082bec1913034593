/**
 * Small JSON documents by name: `records/a/b/c~.json`. A name cannot contain `~`, so a document never
 * collides with a folder of documents. Counters are beside them in `numbers/`.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { RecordStore } from '../ports.ts';
import { KeyedLock, onDisk, readText, systemCode, type Scratch } from './files.ts';
import { sha256 } from '../../utils/sha256.ts';

const PART = /^[A-Za-z0-9._=-]{1,200}$/;
const END = '~.json';
const MAX_COUNT = 1_000_000;

/** Head of a counter: the next number, and the claim that got the last ones. */
interface Head {
  next: number;
  last?: Claimed & { claim: string };
}
interface Claimed {
  first: number;
  count: number;
}

export function diskRecords(folder: string, scratch: Scratch): RecordStore {
  const documents = join(folder, 'records');
  const numbers = join(folder, 'numbers');
  const lock = new KeyedLock();
  const pathOf = (name: string): string => join(documents, `${parts(name).join('/')}${END}`);
  return {
    putIfAbsent: <T>(name: string, value: T) =>
      onDisk('a record', async () => {
        const path = pathOf(name);
        if (await scratch.create(path, JSON.stringify(value))) return { created: true, value };
        return { created: false, value: await readJson<T>(path, value) };
      }),
    put: (name, value) => onDisk('a record', () => scratch.replace(pathOf(name), JSON.stringify(value))),
    get: <T>(name: string) => onDisk('a record', () => readJson<T | undefined>(pathOf(name), undefined)),
    list: (prefix, limit) =>
      onDisk('a record', () =>
        list(join(documents, parts(prefix).join('/')), parts(prefix).join('/'), limit),
      ),
    allocate: (counter, claim, count) => {
      const [name = ''] = parts(counter);
      if (name !== counter)
        throw new DavitError('usage/invalid', 'The name of a counter must have one part.');
      if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT)
        throw new DavitError('usage/invalid', `A claim must be for 1 to ${MAX_COUNT} numbers.`);
      return lock.run(name, () =>
        onDisk('a counter', () => allocate(scratch, join(numbers, name), { claim, count })),
      );
    },
  };
}

function parts(name: string): string[] {
  const all = name.split('/');
  if (all.length > 16 || all.some((part) => !PART.test(part) || part === '.' || part === '..'))
    throw new DavitError(
      'usage/invalid',
      'Not the name of a record: expected a/b/c of letters, digits and . _ = -',
    );
  return all;
}

/** A document has the type that was put: the caller asserts it by the type parameter, as in the port. */
async function readJson<T>(path: string, absent: T): Promise<T> {
  const text = await readText(path);
  if (text === undefined) return absent;
  try {
    const value: unknown = JSON.parse(text);
    return value as T;
  } catch (cause) {
    throw new DavitError('store/corrupt', `The record ${path} is not JSON.`, { cause });
  }
}

/**
 * The head is written first, with the claim in it, then the claim's own file. A crash in between loses no
 * number and assigns none twice: the same claim finds itself in the head, and another claim writes the
 * missing file before it goes on.
 */
async function allocate(
  scratch: Scratch,
  folder: string,
  request: { claim: string; count: number },
): Promise<number> {
  const claimPath = (claim: string): string => {
    const hash = sha256(claim);
    return join(folder, 'claims', hash.slice(0, 2), hash);
  };
  const known = await readJson<Claimed | undefined>(claimPath(request.claim), undefined);
  if (known) return known.first;
  const headPath = join(folder, 'head');
  const head = await readJson<Head>(headPath, { next: 1 });
  if (head.last) {
    const { claim, first, count } = head.last;
    if ((await readText(claimPath(claim))) === undefined)
      await scratch.create(claimPath(claim), JSON.stringify({ first, count }));
    if (claim === request.claim) return first;
  }
  const first = head.next;
  const next: Head = { next: first + request.count, last: { ...request, first } };
  await scratch.replace(headPath, JSON.stringify(next));
  await scratch.create(claimPath(request.claim), JSON.stringify({ first, count: request.count }));
  return first;
}

/**
 * Newest first. In one folder, names that sort higher are newer (they contain padded numbers); between
 * folders, time decides.
 */
async function list(folder: string, prefix: string, limit: number): Promise<string[]> {
  if (limit < 1) return [];
  const found: { name: string; time: number }[] = [];
  const entries = await entriesOf(folder);
  const names = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(END))
    .map((entry) => entry.name)
    .sort((a, b) => (a < b ? 1 : -1))
    .slice(0, limit);
  const folders = entries.filter((entry) => entry.isDirectory());
  if (folders.length === 0) return names.map((name) => `${prefix}/${name.slice(0, -END.length)}`);
  for (const name of names)
    found.push({ name: `${prefix}/${name.slice(0, -END.length)}`, time: await timeOf(join(folder, name)) });
  for (const { name } of folders) {
    for (const below of await list(join(folder, name), `${prefix}/${name}`, limit))
      found.push({
        name: below,
        time: await timeOf(`${join(folder, below.slice(prefix.length + 1))}${END}`),
      });
  }
  return found
    .sort((a, b) => b.time - a.time)
    .slice(0, limit)
    .map(({ name }) => name);
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
const timeOf = async (path: string): Promise<number> => (await stat(path)).mtimeMs;
