/** The trigger of a pipeline of this folder. */
import { NO_SHA, type HeadFacts, type LocalProject } from '../../worktree/project.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { PlanOptions } from './plan-options.ts';

export const triggerOf = (project: LocalProject, facts: HeadFacts, options: PlanOptions): Trigger => ({
  project: project.slug,
  key: 'request:plan',
  deliveryId: 'request:plan',
  sha: facts.sha,
  before: beforeOf(facts, options),
  title: facts.title,
  message: facts.message,
  actor: 'davit',
  role: 'operator',
  defaultBranch: facts.defaultBranch,
  file: options.file,
  jobs: options.jobs && options.jobs.length > 0 ? options.jobs : undefined,
  variables: options.variables,
  inputs: options.inputs,
  origin: project.origin,
  fork: false,
  receivedAt: 0,
  ...eventOf(facts, options),
});

/** With paths from the command line there is always a commit before, even if the branch is new. */
const beforeOf = ({ before, sha }: HeadFacts, { changed }: PlanOptions): string =>
  changed && before === NO_SHA ? (sha === NO_SHA ? 'f'.repeat(40) : sha) : before;

type EventFacts = Pick<Trigger, 'source' | 'ref' | 'refKind' | 'mergeRequest'>;

/** A merge request goes from the checked-out branch to the default branch. */
function eventOf(facts: HeadFacts, { event, tag }: PlanOptions): EventFacts {
  const { ref, refKind } = facts;
  if (tag !== undefined || event === 'tag')
    return { source: event ?? 'tag', ref: tag ?? ref, refKind: 'tag' };
  if (event !== 'merge_request') return { source: event ?? 'cli', ref, refKind };
  const { sha: sourceSha, title, defaultBranch: targetBranch } = facts;
  return {
    source: event,
    ref,
    refKind: 'merge_request',
    mergeRequest: { iid: 1, sourceBranch: ref, targetBranch, sourceSha, title },
  };
}
