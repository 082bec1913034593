/** Reads and validates the file of `davit worker --config`. */
import { readFile } from 'node:fs/promises';
import { DavitError } from '../../src/errors.ts';
import { type WorkerConfig, workerSchema } from '../../src/installation.ts';
import { parseWorkerConfig } from '../../src/compiler/installation-file.ts';

/** The defaults if no file is named. Rejects with `installation/invalid`. */
export async function readWorkerConfig(file: string | undefined): Promise<WorkerConfig> {
  if (file === undefined) return workerSchema.parse({});
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new DavitError('installation/invalid', `The worker's configuration ${file} cannot be read.`, {
      cause,
    });
  }
  const answer = parseWorkerConfig(text, file);
  if (answer.ok) return answer.value;
  const [first] = answer.problems;
  throw new DavitError('installation/invalid', first?.message ?? `${file} is not valid.`, {
    place: first?.place,
    hint: first?.hint,
  });
}
