import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { RunInput } from '../contract.ts';

const MAX_DOTENV_BYTES = 1_024 * 1_024;

/** Names and values of the dotenv reports of the jobs before this one. Rejects with `blob/missing`. */
export async function dotenvVariables(
  input: Pick<RunInput, 'dotenv'>,
  blobs: BlobStore,
): Promise<[string, string][]> {
  const reports = await Promise.all(
    input.dotenv.map(async ({ job, digest }) => {
      const parsed: unknown = JSON.parse(
        new TextDecoder().decode(await blobs.getBytes(digest, MAX_DOTENV_BYTES)),
      );
      if (typeof parsed !== 'object' || parsed === null)
        throw new DavitError('blob/missing', `The dotenv report of ${job} cannot be read.`);
      return Object.entries(parsed).map(([name, value]): [string, string] => [name, String(value)]);
    }),
  );
  return reports.flat();
}
