/**
 * `release`: created at the forge, or in davit's own records if the project has none.
 *
 * Invariants:
 *  REL-1 One release per tag: an existing release at the forge is not changed, and fails the job, as in
 *        GitLab.
 *  REL-2 An attempt that lost its response is recognised: before the release is created, a record notes which
 *        job found the tag free. If two jobs find it free, the first to write the record creates it.
 *  REL-3 Never from a fork, and never of a protected tag by an unprotected pipeline: davit's token may create
 *        tags that the pusher could not.
 */
import type { BlobStore, Forge, RecordStore, Rights } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { expandLate } from '../../src/compiler/variables/expand.ts';
import { projectNamed } from '../../src/compiler/variables/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { refProtection } from '../../src/match/protected-refs.ts';
import type { ProjectSlug } from '../../src/plan/model/ids.ts';
import type { CommonSpec, ReleaseSpec } from '../../src/plan/model/spec.ts';
import type { ControlActivities, ReleaseJobInput, ReleaseOutput } from '../contract.ts';
import { withForgeRefs } from '../runtime/protected-refs.ts';
import { readSpec } from '../runtime/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { broughtValues } from '../runtime/brought-values.ts';

export interface ReleaseDeps {
  blobs: BlobStore;
  records: RecordStore;
  forge: Forge;
  facts: InstallationFacts;
  rights: Pick<Rights, 'protection'>;
}
const MAX_NOTES = 1_024 * 1_024;

/** The job that found the tag without a release, and started to create one. */
interface ReleaseRecord {
  by: string;
  release: ReleaseSpec;
  /** Epoch ms; until then no other job creates one. Absent: it was created, or the forge has refused. */
  claimedUntil?: number;
}
/** Longer than all attempts of one job take together. */
const CLAIM_MS = 60 * 60_000;
export const releaseRecordName = (project: ProjectSlug, tag: string): string =>
  `releases/${project}/${sha256(tag)}`;

export function makeCreateRelease(deps: ReleaseDeps): ControlActivities['createRelease'] {
  return async (input) => {
    const spec = await readSpec(deps.blobs, input.spec, input.kind === 'apitest' ? 'apitest' : 'script');
    if (spec.fork) return refused('A pipeline of a fork cannot create a release.');
    if (!spec.release) return refused('The job has no release.');
    const release = await filled(deps, input, { ...spec, release: spec.release });
    if (release.tagName.trim() === '')
      return refused('release: tag_name is empty: the variable that it uses is not set.');
    const tag = spec.protectedRef ? 'unprotected' : await tagProtection(deps, input, release.tagName);
    if (tag !== 'unprotected') return refused(TAG_REFUSALS[tag](release.tagName));
    try {
      return await create(deps, input, release);
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'forge/refused') throw error;
      return refused(`The release ${release.tagName} was not created. ${error.message}`);
    }
  };
}

const TAG_REFUSALS = {
  protected: (tag: string) =>
    `The tag ${tag} is protected, and this pipeline is not: it makes no such release.`,
  unknown: (tag: string) =>
    `This pipeline is not protected, and the forge has not said yet whether the tag ${tag} is: it makes no such release.`,
} as const;

const tagProtection = async (
  { facts, rights }: ReleaseDeps,
  input: ReleaseJobInput,
  tag: string,
): Promise<'protected' | 'unprotected' | 'unknown'> =>
  refProtection(await withForgeRefs(rights, projectNamed(facts, input)), 'tag', tag);

const refused = (message: string): ReleaseOutput => ({ kind: 'refused', message });

/** Variables of earlier jobs, and the text of the file that the description names. */
async function filled(
  { blobs }: ReleaseDeps,
  { dotenv, notes }: ReleaseJobInput,
  { variables, release }: Pick<CommonSpec, 'variables'> & { release: ReleaseSpec },
): Promise<ReleaseSpec> {
  const values = await broughtValues({ variables }, { dotenv }, { blobs });
  const of = (text: string): string => expandLate(text, values);
  const maybe = (text: string | undefined): string | undefined => (text === undefined ? undefined : of(text));
  return {
    tagName: of(release.tagName),
    tagMessage: maybe(release.tagMessage),
    name: maybe(release.name),
    description: notes
      ? new TextDecoder().decode(await blobs.getBytes(notes, MAX_NOTES))
      : of(release.description),
    ref: of(release.ref),
    milestones: release.milestones.map(of),
    releasedAt: maybe(release.releasedAt),
    links: release.links.map((link) => ({
      ...link,
      name: of(link.name),
      url: of(link.url),
      ...(link.filepath !== undefined && { filepath: of(link.filepath) }),
    })),
  };
}

async function create(
  { records, forge }: ReleaseDeps,
  input: ReleaseJobInput,
  release: ReleaseSpec,
): Promise<ReleaseOutput> {
  const tag = release.tagName;
  const name = releaseRecordName(input.project, tag);
  const by = `${input.pipeline} ${input.job}`;
  const record = { by, release } satisfies ReleaseRecord;
  const there = await forge.findRelease(input.project, tag);
  if (there === 'no-forge') {
    const { value } = await records.putIfAbsent<ReleaseRecord>(name, record);
    return value.by === by ? made({ tag }) : exists(tag);
  }
  if (there !== 'none') {
    const known = await records.get<ReleaseRecord>(name);
    return known?.by === by ? made({ tag, url: there.url }) : exists(tag);
  }
  const first = await claimed(records, name, { ...record, claimedUntil: Date.now() + CLAIM_MS });
  if (first !== by) return refused(`The release ${tag} is being created by another job: ${first}.`);
  try {
    const { url, left } = await forge.makeRelease(input.project, release);
    await records.put<ReleaseRecord>(name, record);
    return made({ tag, url, left });
  } catch (error) {
    if (error instanceof DavitError && error.code === 'forge/refused')
      await records.put<ReleaseRecord>(name, record);
    throw error;
  }
}

/** Decides who creates it. A claim on a release that the forge does not have expires. */
async function claimed(records: RecordStore, name: string, record: ReleaseRecord): Promise<string> {
  const { created, value } = await records.putIfAbsent<ReleaseRecord>(name, record);
  if (created) return record.by;
  if (value.by !== record.by && (value.claimedUntil ?? 0) > Date.now()) return value.by;
  await records.put<ReleaseRecord>(name, record);
  return (await records.get<ReleaseRecord>(name))?.by ?? record.by;
}

const exists = (tag: string): ReleaseOutput =>
  refused(`The release ${tag} exists already; davit does not change it.`);

const made = ({ tag, url, left = [] }: { tag: string; url?: string; left?: string[] }): ReleaseOutput => ({
  kind: 'made',
  tag,
  ...(url !== undefined && { url }),
  warnings: left.map((part) => `The forge does not support release: ${part}; it is ignored.`),
});
