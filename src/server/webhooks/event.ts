/** The common form of forge events, and the triggers that they become. Pure. */
import { z } from 'zod';
import type { StopRef } from '../../plan/model/environments.ts';
import type { DeletedRef } from '../../plan/model/project-memory.ts';
import { SKIP_CI } from '../../plan/model/text.ts';
import { mergeKey, pushKey, type ForgeRepository, type Trigger } from '../../plan/model/trigger.ts';

export type EventTrigger = Omit<Trigger, 'project' | 'deliveryId' | 'receivedAt'>;
export type ForgeEvent =
  /**
   * `skipped`: the head of a ref that requests no pipeline, so that it is not treated as a lost delivery. `deleted`: the
   * project forgets the ref, so that it starts a pipeline when it is pushed again at the same commit. `gone`: what was
   * deployed from it is stopped.
   */
  | {
      kind: 'ignored';
      reason: string;
      repository?: string;
      skipped?: { ref: string; after: string };
      deleted?: DeletedRef;
      gone?: GoneRef;
      about?: EventFacts;
    }
  | { kind: 'trigger'; repository: string; trigger: EventTrigger };

export type GoneRef = Pick<StopRef, 'refKind' | 'ref'>;

/** What people see of an event that starts nothing. */
export interface EventFacts {
  ref?: string;
  sha?: string;
  sender?: string;
}

/** Texts in a workflow's history have a bounded length, and no control characters except line breaks. */
const MAX_TITLE = 255;
const MAX_MESSAGE = 4_096;

export const shaText = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
export const refText = z
  .string()
  .min(1)
  .max(512)
  // oxlint-disable-next-line no-control-regex -- control characters are searched
  .regex(/^[^\u0000-\u001f\u007f]+$/);
export const nameText = z.string().min(1).max(512);
/** Numbers or strings, depending on the forge; only compared. */
export const idValue = z.union([z.number(), z.string()]);

export const isZero = (sha: string): boolean => /^0+$/.test(sha);
export const ZERO = '0'.repeat(40);

export const requestsSkip = (message: string | undefined): boolean => SKIP_CI.test(message ?? '');

export const ignored = (reason: string, repository?: string, about?: EventFacts): ForgeEvent => ({
  kind: 'ignored',
  reason,
  repository,
  ...(about && { about }),
});

/** Free text in a payload: cut, and never a reason to refuse a delivery. */
export const words = z
  .string()
  .transform((text) => text.slice(0, 16_384))
  .nullish()
  .catch(undefined);
/** The same for names. */
export const label = z
  .string()
  .transform((text) => text.slice(0, 255))
  .nullish()
  .catch(undefined);
export const labelList = <K extends string>(key: K) =>
  z
    .array(
      z.object({ [key]: z.string() }).transform((one): string => String(Object.values(one)[0]).slice(0, 255)),
    )
    .nullish()
    .catch(undefined);
export const flag = z.boolean().nullish().catch(undefined);
/** Without fields that are missing in the payload. */
export function known<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  // The keys are those of T, without null values.
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> };
}

export interface Push {
  repository: string;
  /** Full ref: refs/heads/… */
  ref: string;
  before: string;
  after: string;
  /** The commit, if `after` is an annotated tag. */
  commit?: string;
  message?: string;
  actor: string;
  defaultBranch?: string;
  cloneUrl?: string;
  skip?: boolean;
  /** Push options `ci.variable`. */
  variables?: Record<string, string>;
  /** Push options `ci.input`. */
  inputs?: Record<string, string>;
  forgeRepository?: ForgeRepository;
}

/** A push of a branch or tag; a deletion starts nothing. */
export function pushEvent(push: Push): ForgeEvent {
  const { repository, ref, before, after, message } = push;
  const branch = /^refs\/heads\/(.+)$/s.exec(ref)?.[1];
  const tag = /^refs\/tags\/(.+)$/s.exec(ref)?.[1];
  const name = branch ?? tag;
  const about: EventFacts = { ref: name ?? ref, sha: isZero(after) ? before : after, sender: push.actor };
  if (name === undefined) return ignored('The ref is neither a branch nor a tag.', repository, about);
  if (isZero(after)) {
    return deletion(repository, { refKind: tag === undefined ? 'branch' : 'tag', ref: name, before }, about);
  }
  if (push.skip || requestsSkip(message)) {
    const reason = 'The commit requests no pipeline ([skip ci]).';
    return { kind: 'ignored', reason, repository, skipped: { ref, after }, about };
  }
  return {
    kind: 'trigger',
    repository,
    trigger: {
      source: tag === undefined ? 'push' : 'tag',
      key: pushKey({ ref, before, after }),
      ref: name,
      refKind: tag === undefined ? 'branch' : 'tag',
      sha: push.commit ?? after,
      before,
      title: titleOf(message) || name,
      message: cut(message, MAX_MESSAGE),
      actor: push.actor,
      defaultBranch: push.defaultBranch,
      cloneUrl: push.cloneUrl,
      repository: push.forgeRepository,
      variables: push.variables,
      inputs: push.inputs,
      fork: false,
    },
  };
}

/** It starts nothing; what was deployed from a branch is stopped. */
export function deletion(repository: string, deleted: DeletedRef, about: EventFacts): ForgeEvent {
  const { refKind, ref } = deleted;
  const gone = refKind === 'branch' ? { gone: { refKind, ref } } : {};
  return { kind: 'ignored', reason: 'The ref was deleted.', repository, deleted, about, ...gone };
}

/** Closed or merged: it starts nothing, and what was deployed from it is stopped. */
export const closing = (repository: string, ref: string, about: EventFacts): ForgeEvent => ({
  kind: 'ignored',
  reason: 'The merge request was closed or merged.',
  repository,
  gone: { refKind: 'merge_request', ref },
  about,
});

export interface Merge {
  repository: string;
  iid: number;
  /**
   * Full ref in the target repository: refs/pull/3/head. Unique, so that branches of forks do not collide.
   */
  ref: string;
  sha: string;
  before?: string;
  sourceBranch: string;
  targetBranch: string;
  title: string;
  message?: string;
  actor: string;
  /** Made without the right to push: Gitea's AGit requests name the target as their source. */
  fromOutside?: boolean;
  /** Ids of the two repositories; if one is missing, it counts as a fork. */
  from?: number | string | null;
  into?: number | string | null;
  defaultBranch?: string;
  cloneUrl?: string;
  forgeRepository?: ForgeRepository;
  /** Further facts of the request. */
  facts?: MergeFacts;
}
export type MergeFacts = Omit<
  NonNullable<Trigger['mergeRequest']>,
  'iid' | 'sourceBranch' | 'targetBranch' | 'sourceSha' | 'title' | 'descriptionCut'
>;
/** GitLab's limit of CI_MERGE_REQUEST_DESCRIPTION. */
const MAX_DESCRIPTION = 2_700;

/** Texts are cut and lists bounded, because they are stored in a workflow's history. */
function mergeFacts({ description, labels, assignees, ...rest }: MergeFacts): MergeFacts & {
  descriptionCut?: boolean;
} {
  const cutShort = (description?.length ?? 0) > MAX_DESCRIPTION;
  return {
    ...rest,
    ...(description !== undefined && { description: cut(description, MAX_DESCRIPTION) }),
    ...(cutShort && { descriptionCut: true }),
    ...(labels && labels.length > 0 && { labels: labels.slice(0, 50) }),
    ...(assignees && assignees.length > 0 && { assignees: assignees.slice(0, 50) }),
  };
}

export function mergeEvent(merge: Merge): ForgeEvent {
  const { repository, sha, iid, title } = merge;
  if (requestsSkip(merge.message) || requestsSkip(title))
    return ignored('The commit or its request requests no pipeline ([skip ci]).', repository, {
      ref: merge.ref,
      sha,
      sender: merge.actor,
    });
  const before = merge.before ?? ZERO;
  const known =
    merge.from !== undefined && merge.from !== null && merge.into !== undefined && merge.into !== null;
  return {
    kind: 'trigger',
    repository,
    trigger: {
      source: 'merge_request',
      key: mergeKey({ iid, before, sha }),
      ref: merge.ref,
      refKind: 'merge_request',
      sha,
      before,
      title: titleOf(title),
      message: cut(merge.message, MAX_MESSAGE),
      actor: merge.actor,
      defaultBranch: merge.defaultBranch,
      cloneUrl: merge.cloneUrl,
      mergeRequest: {
        iid,
        sourceBranch: merge.sourceBranch,
        targetBranch: merge.targetBranch,
        sourceSha: sha,
        title: titleOf(title),
        ...mergeFacts(merge.facts ?? {}),
      },
      repository: merge.forgeRepository,
      fork: merge.fromOutside === true || !known || String(merge.from) !== String(merge.into),
    },
  };
}

const titleOf = (text: string | undefined): string =>
  cut(
    text
      ?.split('\n', 1)[0]
      ?.replace(/\p{Cc}+/gu, ' ')
      .trim(),
    MAX_TITLE,
  ) ?? '';
function cut(text: string | undefined, max: number): string | undefined {
  if (text === undefined || text.length <= max) return text;
  return text.slice(0, max).replace(/[\ud800-\udbff]$/, '');
}
