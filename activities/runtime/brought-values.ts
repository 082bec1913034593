import type { BlobStore } from '../../src/adapters/ports.ts';
import { lateValues, type Settable } from '../../src/compiler/variables/late-values.ts';
import type { CommonSpec, SpecVariable } from '../../src/plan/model/spec.ts';
import type { RunInput } from '../contract.ts';
import { dotenvVariables } from './dotenv-variables.ts';

/**
 * Values of a job's variables with what dotenv reports bring, for texts that everybody can read: no secret is among them.
 * `own`: the report of the job itself, which counts above all. Rejects with `blob/missing`.
 */
export async function broughtValues(
  spec: Pick<CommonSpec, 'variables'>,
  input: Pick<RunInput, 'dotenv'>,
  { blobs, own = [] }: { blobs: BlobStore; own?: RunInput['dotenv'] },
): Promise<Map<string, string>> {
  const [before, after] = await Promise.all([
    dotenvVariables(input, blobs),
    dotenvVariables({ dotenv: own }, blobs),
  ]);
  const brought = (list: [string, string][]): Settable[] =>
    list.map(([name, text]) => ({ name, text, kind: 'dotenv' }));
  const written = (above: boolean): Settable[] =>
    spec.variables.filter((one) => isAboveDotenv(one) === above).flatMap(settable);
  return lateValues([...written(false), ...brought(before), ...written(true), ...brought(after)]);
}

/** What project, installation and run set. */
export const isAboveDotenv = ({ from }: SpecVariable): boolean => from === 'project' || from === 'pipeline';

function settable({ name, value, masked, file, late }: SpecVariable): Settable[] {
  if ('secret' in value || masked || file) return [];
  return [{ name, text: value.literal, kind: late ? 'late' : 'plain' }];
}
