/**
 * Finds artifacts of jobs of other pipelines: of the newest successful run of a job on a ref
 * (`needs:project`), or of a job of one pipeline (`needs:pipeline:job`). As in GitLab, it does not wait, and
 * all of them must exist.
 *
 * XART-1 If the ref is protected in the other project, only pipelines that were protected themselves count:
 *        no one can put a file into a production pipeline by publishing one under the name of its branch.
 * XART-2 The pipeline of a fork takes nothing by project. Another project gives only to those that its
 *        `artifacts_to` names.
 */
import type { BlobStore, RecordStore, Rights } from '../../src/adapters/ports.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { CrossPipelineArtifact, CrossPipelineAnswer } from '../../src/plan/model/artifacts.ts';
import type { ForeignNeed } from '../../src/plan/model/plan.ts';
import {
  artifactsByPipelineName,
  artifactRecordPrefix,
  type ArtifactRecord,
} from '../../src/plan/model/records.ts';
import { needsProtectedRight } from '../../src/match/protected-refs.ts';
import type { ControlActivities, FindArtifactsInput } from '../contract.ts';
import { artifactNameHash } from '../../src/utils/store-names.ts';
import { withForgeRefs } from '../runtime/protected-refs.ts';
import { mayDownload, artifactProject } from '../runtime/project-access.ts';

/** Maximum number of failed retries to skip. */
const MAX_RETRIES_SKIPPED = 20;

export interface FindArtifactsDeps {
  records: RecordStore;
  blobs: Pick<BlobStore, 'has'>;
  facts: InstallationFacts;
  rights: Pick<Rights, 'protection'>;
}

/** All of them, or the reason why not, for a person. */
export function makeFindArtifacts(deps: FindArtifactsDeps): ControlActivities['findGiven'] {
  return async (input) => {
    const given: CrossPipelineArtifact[] = [];
    const missing: string[] = [];
    for (const need of input.needs) {
      const found = await find(deps, input, need);
      if (typeof found === 'string') missing.push(found);
      else given.push(...found);
    }
    const answer: CrossPipelineAnswer = missing.length > 0 ? { missing: missing.join(' ') } : { given };
    return answer;
  };
}

async function find(
  deps: FindArtifactsDeps,
  input: FindArtifactsInput,
  need: ForeignNeed,
): Promise<CrossPipelineArtifact[] | string> {
  const record = 'project' in need ? await newest(deps, input, need) : await ofPipeline(deps, input, need);
  if (typeof record === 'string') return record;
  const { artifact } = record;
  const gone =
    // Those of the last pipeline of a ref are there although they have expired. `has` keeps them from being collected.
    artifact !== undefined && !(await deps.blobs.has(artifact.digest));
  if (gone) return `The artifacts of ${record.job} of ${record.pipeline} have expired or are gone.`;
  const { pipeline, job, jobId, dotenv } = record;
  return [{ pipeline, job, jobId, ...(artifact && { artifact }), ...(dotenv && { dotenv }) }];
}

async function newest(
  { records, facts, rights }: FindArtifactsDeps,
  input: FindArtifactsInput,
  need: Extract<ForeignNeed, { project: string }>,
): Promise<ArtifactRecord | string> {
  const what = `${need.job} on ${need.ref} of ${need.project}`;
  if (input.fork) return `A pipeline of a fork takes no artifacts of other pipelines (${what}).`;
  const project = artifactProject(facts, input, need.project);
  if (!project) return `There is no project ${need.project} in this installation.`;
  if (!mayDownload(project, input))
    return `${project.name} does not give its artifacts to ${input.project}: its entry in the installation file says to whom, under artifacts_to.`;
  const lists = await withForgeRefs(rights, project);
  // Where it is not known, only what a protected pipeline has left can be trusted.
  const isProtected =
    needsProtectedRight(lists, 'branch', need.ref) || needsProtectedRight(lists, 'tag', need.ref);
  const area = isProtected ? 'protected' : 'unprotected';
  const prefix = artifactRecordPrefix(project.name, area, artifactNameHash(need.ref, need.job));
  for (const name of await records.list(prefix, MAX_RETRIES_SKIPPED)) {
    const record = await records.get<ArtifactRecord>(name);
    if (record?.succeeded) return record;
  }
  return `No run of ${what} has succeeded and kept artifacts yet${isProtected ? ' in a protected pipeline' : ''}.`;
}

const rootOf = ({ root, number }: ArtifactRecord): number => root ?? number;

async function ofPipeline(
  { records }: FindArtifactsDeps,
  input: FindArtifactsInput,
  { pipeline, job }: Extract<ForeignNeed, { pipeline: string }>,
): Promise<ArtifactRecord | string> {
  if (!/^[1-9]\d{0,14}$/.test(pipeline))
    return `needs:pipeline takes the number of a pipeline, not "${pipeline}".`;
  const record = await records.get<ArtifactRecord>(
    artifactsByPipelineName(Number(pipeline), artifactNameHash(job)),
  );
  if (!record?.succeeded) return `${job} of pipeline ${pipeline} has not succeeded, or keeps no artifacts.`;
  if (rootOf(record) === input.root) return record;
  return `Pipeline ${pipeline} is neither a parent of this one nor a child of the same; needs:project takes from others.`;
}
