/** A copy of the embedded Temporal's database as of one moment, also while Temporal writes it. */
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';

const PRIVATE_FILE = 0o600;
const BUSY_MS = 30_000;
const ALL_PAGES = 2 ** 31 - 1;

/** Returns the path of the copy in `folder`; undefined if the home has no such database. Rejects with `backup/failed`. */
export async function copyDatabase(home: string, folder: string): Promise<string | undefined> {
  const [name] = (await readdir(home)).filter((one) => /^temporal-.+\.db$/.test(one));
  if (name === undefined) return undefined;
  const copy = join(folder, name);
  const { backup, DatabaseSync } = await import('node:sqlite');
  try {
    const database = new DatabaseSync(join(home, name), { timeout: BUSY_MS });
    try {
      // All pages in one step, which is one read transaction: Temporal writes on beside it.
      await backup(database, copy, { rate: ALL_PAGES });
    } finally {
      database.close();
    }
    await chmod(copy, PRIVATE_FILE);
    // Temporal's indexes have texts in double quotes.
    checkDatabase(new DatabaseSync(copy, { enableDoubleQuotedStringLiterals: true }));
  } catch (cause) {
    throw new DavitError(
      'backup/failed',
      `The database of Temporal, ${join(home, name)}, could not be copied: ${messageOf(cause)}`,
      { cause },
    );
  }
  return copy;
}

function checkDatabase(database: {
  prepare(sql: string): { get(): Record<string, unknown> | undefined };
  close(): void;
}): void {
  try {
    const [result] = Object.values(database.prepare('PRAGMA quick_check').get() ?? {});
    if (result !== 'ok') throw new Error(`its copy is damaged: ${String(result)}`);
  } finally {
    database.close();
  }
}
