/**
 * One temporary folder for everything that tests, and the processes that they start, put into the system's own: it goes with the
 * run, and when the run was killed with the next one.
 */
import { removeTempFolder, sweepFolders, tempFolder } from '../../src/adapters/temp.ts';

/** Vitest loads this file once for each of its projects: by the environment the later ones know that the first one made it. */
const MADE = 'DAVIT_TEST_FOLDER';

/** Called by vitest for each of its projects, one after the other; what is answered ends the run. */
export default async function tidy(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[MADE] !== undefined) return undefined;
  process.env[MADE] = 'yes';
  await sweepFolders();
  // A short name: sockets of engines stand below it, whose paths may have 107 characters.
  const folder = await tempFolder('t');
  process.env.TMPDIR = folder;
  // What an engine that had to be killed holds mounted stays until the next run.
  return () => removeTempFolder(folder).catch(() => undefined);
}
