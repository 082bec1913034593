/**
 * One temporary folder for everything that tests, and the processes that they start, put into the system's own: it goes with the
 * run, and when the run was killed with the next one.
 */
import { removeTempFolder, sweepFolders, tempFolder } from '../../src/adapters/temp.ts';

let used = 0;
let ready: Promise<string> | undefined;

async function make(): Promise<string> {
  await sweepFolders();
  // A short name: sockets of engines stand below it, whose paths may have 107 characters.
  const folder = await tempFolder('t');
  process.env.TMPDIR = folder;
  return folder;
}

/** Called by vitest for each of its projects. */
export default async function tidy(): Promise<() => Promise<void>> {
  used += 1;
  const folder = await (ready ??= make());
  return async () => {
    used -= 1;
    // What an engine that had to be killed holds mounted stays until the next run.
    if (used === 0) await removeTempFolder(folder).catch(() => undefined);
  };
}
