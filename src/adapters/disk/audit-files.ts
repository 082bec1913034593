/**
 * Role: one kind of audit entries as JSON lines in files `KIND-NUMBER.jsonl`, the highest number last.
 * Not its role: what an entry contains.
 *
 * Invariants:
 * TRAIL-1 Files are opened for appending only, and no line is ever changed. The oldest files go once there are
 *         more than `files`.
 * TRAIL-2 An acknowledged line is durable, and whole: a line that a crash or a full disk has cut ends with a
 *         line break before the next one begins.
 * TRAIL-3 Waiting lines have a limit. What does not fit, or cannot be written, is reported as lost; a later
 *         line is tried again.
 */
import { constants } from 'node:fs';
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { FILE_MODE, makeDir, READ, syncDir, systemCode } from './files.ts';

const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
const MAX_WAITING = 10_000;
const BATCH = 1_000;
const LINE_BREAK = 0x0a;

export interface FileLimits {
  /** A file that is larger gets no further line. */
  fileBytes: number;
  /** Kept files. */
  files: number;
}
interface Waiting {
  line: string;
  done: (durable: boolean) => void;
}

export class LineFiles {
  readonly #folder: string;
  readonly #kind: string;
  readonly #limits: FileLimits;
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #open: { handle: FileHandle; number: number } | undefined;

  constructor(folder: string, kind: string, limits: FileLimits) {
    this.#folder = folder;
    this.#kind = kind;
    this.#limits = limits;
  }

  /** False: lost. Lines that are added meanwhile are written together. */
  append(line: string): Promise<boolean> {
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(false);
    return new Promise((done) => {
      this.#waiting.push({ line, done });
      this.#writing ??= this.#drain().finally(() => {
        this.#writing = undefined;
      });
    });
  }

  /** Texts of the files, newest first, with every line that was added before. */
  async *texts(): AsyncGenerator<string> {
    await this.#writing;
    const numbers = await this.#numbers();
    for (const number of numbers.toReversed()) {
      const handle = await open(this.#path(number), READ).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return undefined; // the oldest was removed meanwhile
        throw error;
      });
      if (!handle) continue;
      try {
        yield await handle.readFile('utf8');
      } finally {
        await handle.close();
      }
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#forget();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      const durable = await this.#write(batch.map(({ line }) => `${line}\n`).join(''));
      for (const { done } of batch) done(durable);
    }
  }

  async #write(text: string): Promise<boolean> {
    try {
      const handle = await this.#current();
      await handle.appendFile(text);
      await handle.datasync();
      return true;
    } catch {
      // A full or failing disk: the caller counts it. The file is opened and looked at again for the next line.
      await this.#forget();
      return false;
    }
  }

  async #forget(): Promise<void> {
    const known = this.#open;
    this.#open = undefined;
    await known?.handle.close().catch(() => undefined); // nothing of it is used any more
  }

  /** The file to write to: the open one, unless it is full or was taken away. */
  async #current(): Promise<FileHandle> {
    if (this.#open) {
      const { size, nlink } = await this.#open.handle.stat();
      if (nlink > 0 && size < this.#limits.fileBytes) return this.#open.handle;
      const { number } = this.#open;
      await this.#forget();
      return this.#start(nlink > 0 ? number + 1 : number);
    }
    await makeDir(this.#folder);
    return this.#start((await this.#numbers()).at(-1) ?? 1);
  }

  async #start(number: number): Promise<FileHandle> {
    const handle = await open(this.#path(number), APPEND, FILE_MODE);
    this.#open = { handle, number };
    const { size } = await handle.stat();
    if (size >= this.#limits.fileBytes) {
      await this.#forget();
      return this.#start(number + 1);
    }
    if (size === 0) {
      await syncDir(this.#folder);
      await this.#removeOld();
    } else if (await isCut(this.#path(number), size)) await handle.appendFile('\n');
    return handle;
  }

  async #removeOld(): Promise<void> {
    const numbers = await this.#numbers();
    for (const number of numbers.slice(0, Math.max(0, numbers.length - this.#limits.files)))
      await rm(this.#path(number), { force: true });
  }

  #path(number: number): string {
    return join(this.#folder, `${this.#kind}-${String(number).padStart(8, '0')}.jsonl`);
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    return names
      .flatMap((name) => {
        const found = /^([a-z]+)-(\d{8})\.jsonl$/.exec(name);
        return found?.[1] === this.#kind ? [Number(found[2])] : [];
      })
      .toSorted((a, b) => a - b);
  }
}

async function isCut(path: string, size: number): Promise<boolean> {
  const handle = await open(path, READ);
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] !== LINE_BREAK;
  } finally {
    await handle.close();
  }
}
