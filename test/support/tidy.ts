/**
 * One temporary folder for everything that tests, and the processes that they start, create in the system's
 * own: it is removed with the run, and after a killed run with the next one.
 */
import { removeTempFolder, sweepFolders, tempFolder } from '../../src/adapters/temp.ts';

/**
 * Vitest loads this file once per project: an environment variable tells the later ones that the first has
 * created it.
 */
const MADE = 'DAVIT_TEST_FOLDER';

/**
 * Called by vitest for each of its projects in turn; the returned function is called at the end of the run.
 */
export default async function tidy(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[MADE] !== undefined) return undefined;
  process.env[MADE] = 'yes';
  await sweepFolders();
  // A short name: engines have sockets below it, and their paths are limited to 107 characters.
  const folder = await tempFolder('t');
  process.env.TMPDIR = folder;
  // What a killed engine keeps mounted stays until the next run.
  return () => removeTempFolder(folder).catch(() => undefined);
}
