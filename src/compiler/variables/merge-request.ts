import type { ForgeRepository } from '../../plan/model/trigger.ts';
import type { CompileRequest } from '../request.ts';

/**
 * GitLab's predefined variables of pipelines of merge requests, as far as the forge's event contains them.
 */
export function mergeRequestValues({ trigger, project }: CompileRequest): Record<string, string | undefined> {
  const request = trigger.mergeRequest;
  if (trigger.refKind !== 'merge_request' || !request) return {};
  const target = request.target ?? trigger.repository;
  const path = target?.path ?? project.path ?? trigger.origin?.path ?? project.slug;
  return {
    CI_MERGE_REQUEST_ID: request.id,
    CI_MERGE_REQUEST_IID: String(request.iid),
    CI_MERGE_REQUEST_TITLE: request.title,
    CI_MERGE_REQUEST_DESCRIPTION: request.description,
    CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED:
      request.description === undefined ? undefined : String(request.descriptionCut ?? false),
    CI_MERGE_REQUEST_LABELS: request.labels?.join(','),
    CI_MERGE_REQUEST_ASSIGNEES: request.assignees?.join(','),
    CI_MERGE_REQUEST_MILESTONE: request.milestone,
    CI_MERGE_REQUEST_DRAFT: textOf(request.draft),
    CI_MERGE_REQUEST_SQUASH_ON_MERGE: textOf(request.squash),
    CI_MERGE_REQUEST_REF_PATH: trigger.ref,
    CI_MERGE_REQUEST_EVENT_TYPE: 'detached',
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: request.sourceBranch,
    CI_MERGE_REQUEST_TARGET_BRANCH_NAME: request.targetBranch,
    // GitLab: set in pipelines of merged results only, empty in all others.
    CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: '',
    CI_MERGE_REQUEST_TARGET_BRANCH_SHA: '',
    // A branch of a fork is never protected.
    CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED: String(
      !trigger.fork && (project.isProtected?.(request.sourceBranch) ?? false),
    ),
    CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED: String(project.isProtected?.(request.targetBranch) ?? false),
    ...repositoryValues('CI_MERGE_REQUEST_PROJECT', { path, url: project.url, ...target }),
    ...repositoryValues('CI_MERGE_REQUEST_SOURCE_PROJECT', request.source ?? {}),
    CI_OPEN_MERGE_REQUESTS: `${path}!${request.iid}`,
  };
}

const repositoryValues = (name: string, repository: ForgeRepository): Record<string, string | undefined> => ({
  [`${name}_ID`]: repository.id,
  [`${name}_PATH`]: repository.path,
  [`${name}_URL`]: repository.url,
});

const textOf = (value: boolean | undefined): string | undefined =>
  value === undefined ? undefined : String(value);
