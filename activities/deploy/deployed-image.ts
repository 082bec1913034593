import { DavitError } from '../../src/errors.ts';
import type { JobUse, Registries } from '../../src/adapters/ports.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import type { DeployInput } from '../contract.ts';
import { useOf } from '../runtime/spec.ts';

/**
 * The image that a deployment runs, always by digest: moving its tag has no effect. `refused`: the file names a tag
 * that the registry does not have, which no retry changes.
 */
export async function deployedImage(
  spec: DeploySpec,
  input: DeployInput,
  registries: Registries,
): Promise<string | { refused: string }> {
  if (spec.imageFrom !== undefined) return fromJob(spec.imageFrom, input);
  if (spec.image === undefined)
    throw new DavitError('usage/invalid', 'The deployment names neither an image nor a job that made one.');
  return pinned(spec.image, registries, useOf(spec, input));
}

function fromJob(job: string, input: DeployInput): string {
  const index = input.indexes.find((one) => one.job === job)?.index;
  if (index) return `${index.repository}@${index.digest}`;
  const images = input.images.filter((one) => one.job === job || one.job.startsWith(`${job}: [`));
  const [only, another] = images;
  if (only && !another) return `${only.image.repository}@${only.image.digest}`;
  if (another)
    throw new DavitError('usage/invalid', `${job} made ${images.length} images.`, {
      hint: 'Name a push job in image_from: it joins them under one digest.',
    });
  throw new DavitError('registry/missing-manifest', `The job ${job} left no image behind.`, {
    hint: 'Run it again: a deployment needs its digest.',
  });
}

/** Resolves the tag once, so that every node and every dispatch gets the same image. */
async function pinned(
  image: string,
  registries: Registries,
  use: JobUse,
): Promise<string | { refused: string }> {
  if (image.includes('@sha256:')) return image;
  const { registry, repository } = await registries.forImage(image, { use });
  const colon = image.lastIndexOf(':');
  const tagged = colon > image.lastIndexOf('/');
  const tag = tagged ? image.slice(colon + 1) : 'latest';
  const index = await registry.index(repository, tag);
  const digest = index?.digest ?? (await registry.manifest(repository, tag))?.digest;
  if (digest === undefined)
    return {
      refused: `${registry.host} has no image ${tagged ? image : `${image}:latest`}. Push it, or correct its name, then retry the job; nothing was deployed.`,
    };
  return `${tagged ? image.slice(0, colon) : image}@${digest}`;
}
