/** Under which names a commit's status is told to the forge, and which of two reports counts. Pure. */
import type { ReportPlace, StatusKind, StatusReport } from '../model/commit-status.ts';
import { parsePipelineId } from '../model/ids.ts';
import type { Trigger } from '../model/trigger.ts';

/** `legacy`: a name that gets every status too, for required checks from before there was one for each kind. */
export interface StatusNames {
  prefix?: string | undefined;
  legacy?: string | undefined;
}
export const STATUS_PREFIX = 'davit';

/** The contexts of a status, `PREFIX/KIND` first. A fork has its own: no stranger sets what a required check looks at. */
export function contextsOf(
  of: { installation?: StatusNames | undefined; project?: StatusNames | undefined },
  { kind, fork }: { kind: StatusKind; fork?: boolean | undefined },
): string[] {
  const prefix = of.project?.prefix ?? of.installation?.prefix ?? STATUS_PREFIX;
  const legacy = of.project?.legacy ?? of.installation?.legacy;
  const own = `${prefix}/${fork ? 'fork' : kind}`;
  if (legacy === undefined) return [own];
  return [...new Set([own, fork ? `${legacy}/fork` : legacy])];
}

/** By the kind of the ref, so a schedule of a branch counts as its push. */
export function statusKindOf(trigger: Pick<Trigger, 'refKind'>): StatusKind {
  return trigger.refKind === 'merge_request' ? 'mr' : trigger.refKind === 'tag' ? 'tag' : 'push';
}

/** A forge does not know a working tree; and the verdict about a child's commit is that of its parent. */
export const isTold = ({ source, upstream, sourceBlob }: Trigger): boolean =>
  source !== 'cli' && !(upstream && (upstream.depth > 0 || sourceBlob !== undefined));

/** Without a forge, its repository and a token nobody is told. */
export const tellsForge = (
  project: { forge: string; forge_token?: unknown; repository?: unknown } | undefined,
): boolean =>
  project !== undefined &&
  project.forge !== 'none' &&
  project.forge_token !== undefined &&
  project.repository !== undefined;

/** True if `one` was made after `other`. */
export function isLater(one: ReportPlace, other: ReportPlace): boolean {
  for (const [index, value] of one.entries()) {
    const than = other[index] ?? 0;
    if (value !== than) return value > than;
  }
  return false;
}

/** Fields that a report of an earlier version lacks. */
export function completed(
  report: StatusReport,
  now: number,
): StatusReport & { kind: StatusKind; place: ReportPlace } {
  const isRequest = /^refs\/(pull|merge-requests)\//.test(report.ref);
  return {
    ...report,
    kind: report.kind ?? (isRequest ? 'mr' : 'push'),
    place: report.place ?? [parsePipelineId(report.id)?.iid ?? 0, now, 0],
  };
}
