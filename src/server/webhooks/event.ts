/** What every forge's event is turned into, and what of it starts a pipeline. Pure. */
import { z } from 'zod';
import { pushKey, type ForgeRepository, type Trigger } from '../../plan/model/trigger.ts';

export type EventTrigger = Omit<Trigger, 'project' | 'deliveryId' | 'receivedAt'>;
export type ForgeEvent =
  /** `skipped`: the head of a ref that asked for no pipeline, so that nobody takes it for a lost delivery. */
  | { kind: 'ignored'; reason: string; repository?: string; skipped?: { ref: string; after: string } }
  | { kind: 'trigger'; repository: string; trigger: EventTrigger };

/** A text that stands in a workflow's history has a bounded length and no control characters but line breaks. */
const MAX_TITLE = 255;
const MAX_MESSAGE = 4_096;

export const shaText = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
export const refText = z
  .string()
  .min(1)
  .max(512)
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  .regex(/^[^\u0000-\u001f\u007f]+$/);
export const nameText = z.string().min(1).max(512);
/** Numbers or strings, as the forge likes; only compared. */
export const idValue = z.union([z.number(), z.string()]);

export const isZero = (sha: string): boolean => /^0+$/.test(sha);
export const ZERO = '0'.repeat(40);

/** GitLab's own expression for a commit message that asks for no pipeline. */
export const asksToSkip = (message: string | undefined): boolean =>
  /\[(ci[ _-]skip|skip[ _-]ci)\]/i.test(message ?? '');

export const ignored = (reason: string, repository?: string): ForgeEvent => ({
  kind: 'ignored',
  reason,
  repository,
});

/** Texts of people in a payload: cut, and never a reason to refuse a delivery. */
export const words = z
  .string()
  .transform((text) => text.slice(0, 16_384))
  .nullish()
  .catch(undefined);
/** The same of names. */
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
/** Without what the payload does not say. */
export function known<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  // The keys are those of T, and what was null is not there.
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> };
}

export interface Push {
  repository: string;
  /** Whole: refs/heads/… */
  ref: string;
  before: string;
  after: string;
  /** The commit itself, where `after` is an annotated tag. */
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
  of?: ForgeRepository;
}

/** A push of a branch or tag; what goes away starts nothing. */
export function pushEvent(push: Push): ForgeEvent {
  const { repository, ref, before, after, message } = push;
  const branch = /^refs\/heads\/(.+)$/s.exec(ref)?.[1];
  const tag = /^refs\/tags\/(.+)$/s.exec(ref)?.[1];
  const name = branch ?? tag;
  if (name === undefined) return ignored('The ref is neither a branch nor a tag.', repository);
  if (isZero(after)) return ignored('The ref was deleted.', repository);
  if (push.skip || asksToSkip(message)) {
    const reason = 'The commit asks for no pipeline ([skip ci]).';
    return { kind: 'ignored', reason, repository, skipped: { ref, after } };
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
      repository: push.of,
      variables: push.variables,
      inputs: push.inputs,
      fork: false,
    },
  };
}

export interface Merge {
  repository: string;
  iid: number;
  /** Whole, and of the target repository: refs/pull/3/head. Unique, so that branches of forks never meet. */
  ref: string;
  sha: string;
  before?: string;
  sourceBranch: string;
  targetBranch: string;
  title: string;
  message?: string;
  actor: string;
  /** Ids of the two repositories; one that is missing makes it a fork. */
  /** Nobody with a right to push has made it: Gitea's AGit requests name the target as their source. */
  fromOutside?: boolean;
  from?: number | string | null;
  into?: number | string | null;
  defaultBranch?: string;
  cloneUrl?: string;
  of?: ForgeRepository;
  /** What else the event says of the request. */
  more?: MergeFacts;
}
export type MergeFacts = Omit<
  NonNullable<Trigger['mergeRequest']>,
  'iid' | 'sourceBranch' | 'targetBranch' | 'sourceSha' | 'title' | 'descriptionCut'
>;
/** GitLab's limit of CI_MERGE_REQUEST_DESCRIPTION. */
const MAX_DESCRIPTION = 2_700;

/** Texts are cut, lists bounded: they stand in a workflow's history. */
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
  if (asksToSkip(merge.message) || asksToSkip(title))
    return ignored('The commit or its request asks for no pipeline ([skip ci]).', repository);
  const before = merge.before ?? ZERO;
  const known =
    merge.from !== undefined && merge.from !== null && merge.into !== undefined && merge.into !== null;
  return {
    kind: 'trigger',
    repository,
    trigger: {
      source: 'merge_request',
      key: `merge_request:${iid}:${before}:${sha}`,
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
        ...mergeFacts(merge.more ?? {}),
      },
      repository: merge.of,
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
