/** The input of a downstream pipeline: the file of a child, and the forwarded variables. */
import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { DownstreamConfig } from '../../src/plan/model/downstream.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import type { SpecVariable, TriggerInclude, TriggerSpec } from '../../src/plan/model/spec.ts';
import type { InputValue } from '../../src/plan/model/trigger.ts';
import type { DownstreamInput } from '../contract.ts';
import { broughtValues } from '../runtime/brought-values.ts';
import { readFiles } from '../runtime/tar.ts';
import { readJson } from '../runtime/downstream-config.ts';

/** GitLab: an artifact that contains a child's file has at most 5 MB. */
const MAX_ARTIFACT_BYTES = 5 * 1024 * 1024;

export async function readSpec(blobs: BlobStore, digest: Digest): Promise<TriggerSpec> {
  const value: unknown = await readJson(blobs, digest);
  if (!isTriggerSpec(value)) throw new DavitError('internal/defect', 'Unsupported version of a stored job.');
  return value;
}
const isTriggerSpec = (value: unknown): value is TriggerSpec =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'trigger' && 'to' in value;

/**
 * A file that includes what the job names; files from artifacts are added under a name that no source has.
 */
export async function childFile(
  blobs: BlobStore,
  { include, input }: { include: readonly TriggerInclude[]; input: DownstreamInput },
): Promise<Required<Pick<DownstreamConfig, 'file' | 'included'>>> {
  const included: Record<string, string> = {};
  const items: InputValue[] = [];
  for (const one of include) {
    if ('written' in one) {
      items.push(one.written);
      continue;
    }
    const { jobId, text } = await fromArtifact(blobs, one, input);
    const local = `.davit/artifacts/${jobId}/${one.artifact}`;
    included[local] = text;
    items.push({ local, ...(one.inputs !== undefined && one.inputs !== null && { inputs: one.inputs }) });
  }
  const file = { name: `trigger of ${input.ref.job}`, text: JSON.stringify({ include: items }) };
  return { file, included };
}

async function fromArtifact(
  blobs: BlobStore,
  { artifact, jobs }: Extract<TriggerInclude, { artifact: string }>,
  input: DownstreamInput,
): Promise<{ jobId: number; text: string }> {
  const given = input.files.filter(({ job }) => jobs.includes(job));
  const refuse = (message: string): DavitError => new DavitError('trigger/refused', message);
  if (given.length === 0)
    throw refuse(`${jobs.join(', ')} has no artifacts yet, and ${artifact} has to be read from them.`);
  for (const { job, jobId, artifact: kept } of given) {
    if ((kept.expiresAt ?? Number.POSITIVE_INFINITY) < Date.now() || !(await blobs.has(kept.digest)))
      throw refuse(`The artifacts of ${job} have expired or are gone.`);
    if (kept.bytes > MAX_ARTIFACT_BYTES)
      throw refuse(
        `The artifacts of ${job} are larger than 5 MiB, and ${artifact} has to be read from them.`,
      );
    const text = (await readFiles(await blobs.getStream(kept.digest), [artifact], { until: artifact })).get(
      artifact,
    );
    if (text !== undefined) return { jobId, text };
  }
  throw refuse(`The artifacts of ${jobs.join(', ')} have no file ${artifact}.`);
}

/**
 * Includes the variables of dotenv reports of earlier jobs, also where they replace variables of the file. Other references are
 * left to the pipeline that gets them.
 */
export async function forwardedVariables(
  blobs: BlobStore,
  { variables, own = [] }: TriggerSpec,
  dotenv: DownstreamInput['dotenv'],
): Promise<SpecVariable[]> {
  if (!variables.some((one) => one.late)) return variables;
  const values = await broughtValues({ variables: own }, { dotenv }, { blobs });
  return variables.map((one) => (one.late && 'literal' in one.value ? filled(one, one.value.literal) : one));

  function filled(one: SpecVariable, literal: string): SpecVariable {
    const text = literal.replace(
      /\$\$|\$\{(\w+)\}/g,
      (found, name: string | undefined) =>
        (name === undefined ? undefined : values.get(name)?.replaceAll('$', '$$$$')) ?? found,
    );
    return { ...one, value: { literal: text } };
  }
}
