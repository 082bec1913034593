/**
 * Finds the pipeline that a job with `needs:pipeline: PROJECT` follows: the newest of that project's default
 * branch, open or ended. The project knows its open pipelines; the store keeps the ended ones permanently.
 */
import type { PipelineLookup, RecordStore } from '../../src/adapters/ports.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { parsePipelineId, type PipelineId } from '../../src/plan/model/ids.ts';
import { pipelinesPrefix, type PipelineEntry } from '../../src/plan/model/records.ts';
import type { ControlActivities } from '../contract.ts';
import { keptDefaultBranch } from '../runtime/project-access.ts';
import { mayDownload, artifactProject } from '../runtime/project-access.ts';

/** Maximum number of pipelines of other refs to skip. */
const MAX_INSPECTED = 500;

export interface FindMirroredDeps {
  records: RecordStore;
  workflows: PipelineLookup;
  facts: InstallationFacts;
}

/** A project that may take another project's artifacts may see the outcome of its pipelines. */
export function makeFindMirrored({
  records,
  workflows,
  facts,
}: FindMirroredDeps): ControlActivities['findMirrored'] {
  return async (input) => {
    const name = input.mirrors;
    if (input.fork) return { refused: `A pipeline of a fork cannot follow another pipeline (${name}).` };
    const project = artifactProject(facts, input, name);
    if (!project) return { refused: `There is no project ${name} in this installation.` };
    if (!mayDownload(project, input))
      return {
        refused: `${project.name} does not show its pipelines to ${input.project}: its entry in the installation file says to whom, under artifacts_to.`,
      };
    const branch = await keptDefaultBranch(records, project);
    const open = await workflows.newestOf(project.name, branch);
    const ended = await newestEnded(records, { project: project.name, branch, after: iidOf(open) });
    const pipeline = ended ?? open;
    if (!pipeline) return { refused: `No pipeline of ${branch} of ${project.name} has run yet.` };
    if (pipeline === input.pipeline)
      return { refused: `${pipeline} is this pipeline itself: it would wait for its own end.` };
    return { project: project.name, pipeline };
  };
}

const iidOf = (id: PipelineId | undefined): number => (id && parsePipelineId(id)?.iid) ?? 0;

/**
 * Considers only pipelines newer than the known one; children, merge requests and tags do not count as
 * pipelines of the branch.
 */
async function newestEnded(
  records: RecordStore,
  of: { project: string; branch: string; after: number },
): Promise<PipelineId | undefined> {
  for (const name of await records.list(pipelinesPrefix(of.project), MAX_INSPECTED)) {
    if (Number(name.slice(name.lastIndexOf('/') + 1)) <= of.after) return undefined;
    const { summary } = (await records.get<PipelineEntry>(name)) ?? {};
    if (summary?.ref === of.branch && !OTHERS.includes(summary.source)) return summary.id;
  }
  return undefined;
}
const OTHERS: readonly string[] = ['parent_pipeline', 'merge_request', 'tag'];
