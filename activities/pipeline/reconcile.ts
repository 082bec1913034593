/**
 * Role: finds a push whose delivery was lost. It compares the branches and tags of a repository, and with a
 * forge_token its open merge requests, with those that are known, and sends the event that the delivery would have been.
 * Not its role: whether that event came before (the project's workflow: same key, same dedupe), which projects
 * and when (`workers/parts/reconciler.ts`).
 *
 * A timer of the control worker and not a workflow: a pass is idempotent, because its state is a record and
 * the intake drops known events. A lost or repeated pass does no harm, and there is no history to replay or
 * to keep short.
 *
 * Invariants:
 *  REC-1 The first pass over a project, and over its merge requests, settles everything as it is: setting up davit
 *        starts nothing.
 *  REC-2 A ref is settled only by an answer: a run is known, the delivery asked for none, or the project has
 *        decided on the key. A crash at any moment leaves it pending, and the next pass asks again.
 *  REC-3 Nothing is sent before the head was unchanged for `graceMs`, and at most `atMost` events per pass.
 */
import type {
  OpenRequest,
  OpenRequests,
  RecordStore,
  RemoteHead,
  Secrets,
  Source,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { KeyLookup, PushedHeads } from '../../src/plan/model/protocol.ts';
import {
  reconcileRecordName,
  skippedRecordName,
  type PendingHead,
  type ReconcileRecord,
  type SkippedRecord,
} from '../../src/plan/model/records.ts';
import { SKIP_CI } from '../../src/plan/model/text.ts';
import { mergeKey, pushKey, type Trigger } from '../../src/plan/model/trigger.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

const LOOK_MS = 60_000;
const ZERO = '0'.repeat(40);

export interface ReconcileDeps {
  records: Pick<RecordStore, 'get' | 'put'>;
  source: Pick<Source, 'heads'>;
  secrets: Secrets;
  /** Absent: no merge requests are compared. */
  openRequests?: OpenRequests;
  /** Durable when it resolves. */
  start(trigger: Trigger): Promise<void>;
  /** What the project's workflow knows; empty if there is no workflow yet. */
  pushed(project: string): Promise<PushedHeads>;
  lookup(project: string, key: string): Promise<KeyLookup>;
  graceMs: number;
  atMost: number;
  now(): number;
  /** Aborted when the process ends; the next pass starts over. */
  signal?: AbortSignal;
}
type Head = RemoteHead & { request?: OpenRequest };
interface Look {
  project: InstallationProject & { clone_url: string };
  record: ReconcileRecord;
  known: PushedHeads;
}

/**
 * One pass over one project; returns the triggers that it sent. Rejects if forge, store or Temporal does not
 * answer.
 */
export async function reconcile(
  deps: ReconcileDeps,
  project: InstallationProject & { clone_url: string },
): Promise<Trigger[]> {
  const name = reconcileRecordName(project.name);
  const before = await deps.records.get<ReconcileRecord>(name);
  const refs = await remoteHeads(deps, project, before);
  const asked = await requestHeads(deps, project);
  const at = deps.now();
  const problem = asked.problem === undefined ? {} : { problem: asked.problem };
  const heads: Head[] = [...refs, ...asked.heads];
  const since = before?.requestsSince ?? (asked.read ? at : undefined);
  const requestsSince = since === undefined ? {} : { requestsSince: since };
  if (!before?.at) {
    await deps.records.put<ReconcileRecord>(name, {
      at,
      settled: asSettled(heads),
      pending: {},
      ...requestsSince,
      ...problem,
    });
    return [];
  }
  // Requests that were not listed this time may still be open.
  const known = asked.complete ? [] : Object.keys(before.settled).filter(isRequest);
  const there = new Set([...heads.map(({ ref }) => ref), ...known]);
  const record: ReconcileRecord = {
    at,
    settled: {
      ...only(before.settled, there),
      ...(before.requestsSince === undefined && asSettled(asked.heads)),
    },
    pending: only(before.pending, there),
    found: before.found,
    ...requestsSince,
    ...problem,
  };
  const moved = heads.filter(({ ref, sha }) => {
    if (record.settled[ref] !== sha) return true;
    delete record.pending[ref];
    return false;
  });
  const pushed = moved.length > 0 ? await deps.pushed(project.name) : {};
  const sent: Trigger[] = [];
  for (const head of moved) {
    const trigger = await judge(deps, { project, record, known: pushed }, head);
    if (!trigger || sent.length >= deps.atMost) continue;
    await deps.start(trigger);
    sent.push(trigger);
    record.pending[head.ref] = { ...pendingOf(record, head, deps.now()), key: trigger.key };
  }
  await deps.records.put(name, record);
  return sent;
}

/** A failed pass is recorded for people; the known state stays. */
async function remoteHeads(
  deps: ReconcileDeps,
  project: InstallationProject & { clone_url: string },
  before: ReconcileRecord | undefined,
): Promise<RemoteHead[]> {
  try {
    const auth = await cloneAuth(project, deps.secrets);
    const late = AbortSignal.timeout(LOOK_MS);
    const signal = deps.signal ? AbortSignal.any([late, deps.signal]) : late;
    return await deps.source.heads({ url: project.clone_url, auth, signal });
  } catch (error) {
    if (deps.signal?.aborted) throw error;
    const problem = error instanceof DavitError ? error.message : 'The repository did not answer in time.';
    const record = before ?? { at: 0, settled: {}, pending: {} };
    await deps.records.put<ReconcileRecord>(reconcileRecordName(project.name), { ...record, problem });
    throw error;
  }
}

interface RequestHeads {
  heads: Head[];
  read: boolean;
  /** Every open request is among them. */
  complete: boolean;
  problem?: string;
}

/** A forge that does not list them does not keep pushes from being found. */
async function requestHeads(deps: ReconcileDeps, project: InstallationProject): Promise<RequestHeads> {
  try {
    const open = await deps.openRequests?.open(project, deps.signal);
    if (!open) return { heads: [], read: false, complete: false };
    const heads = open.requests.map((request): Head => {
      const { ref, sha } = request;
      return { ref, sha, commit: sha, request };
    });
    return { heads, read: true, complete: open.complete };
  } catch (error) {
    if (deps.signal?.aborted || !(error instanceof DavitError)) throw error;
    return { heads: [], read: false, complete: false, problem: error.message };
  }
}

const asSettled = (heads: readonly Head[]): Record<string, string> =>
  Object.fromEntries(heads.map(({ ref, sha }) => [ref, sha]));
const isRequest = (ref: string): boolean => /^refs\/(merge-requests|pull)\//.test(ref);

/** Settles the head, keeps it pending, or returns the event to send (REC-2, REC-3). */
async function judge(
  deps: ReconcileDeps,
  { project, record, known }: Look,
  head: Head,
): Promise<Trigger | undefined> {
  const pending = pendingOf(record, head, deps.now());
  record.pending[head.ref] = pending;
  const settle = (): undefined => {
    record.settled[head.ref] = head.sha;
    delete record.pending[head.ref];
  };
  const answer = pending.key === undefined ? undefined : await deps.lookup(project.name, pending.key);
  if (answer?.state === 'queued') return undefined;
  if (answer?.state === 'started') record.found = { ref: head.ref, sha: head.commit, at: pending.since };
  if (known[memoryRef(head)] === head.commit || (answer && answer.state !== 'unknown')) return settle();
  if (deps.now() - pending.since < deps.graceMs) return undefined;
  const refHash = sha256(head.ref);
  const skipped = await deps.records.get<SkippedRecord>(skippedRecordName(project.name, refHash));
  if (skipped?.sha === head.sha || asksForNothing(head)) return settle();
  return triggerOf(project, head, { before: record.settled[head.ref] ?? ZERO, since: pending.since });
}

/** As deliveries are read: GitLab's expression, in the title of a request. */
const asksForNothing = ({ request }: Head): boolean => request !== undefined && SKIP_CI.test(request.title);

const pendingOf = (record: ReconcileRecord, head: RemoteHead, now: number): PendingHead => {
  const known = record.pending[head.ref];
  return known?.sha === head.sha ? known : { sha: head.sha, since: now };
};

const only = <T>(of: Record<string, T>, there: ReadonlySet<string>): Record<string, T> =>
  Object.fromEntries(Object.entries(of).filter(([ref]) => there.has(ref)));

const isTag = (ref: string): boolean => ref.startsWith('refs/tags/');
const shortName = (ref: string): string => ref.replace(/^refs\/(heads|tags)\//, '');
const memoryRef = ({ ref, request }: Head): string =>
  request ? `merge_request:${ref}` : `${isTag(ref) ? 'tag' : 'branch'}:${shortName(ref)}`;

/** The facts that only the forge's API tells. */
function requestTrigger({ title, author, fork, mergeRequest, sha }: OpenRequest, before: string) {
  const { iid } = mergeRequest;
  const source = 'merge_request' as const;
  return {
    source,
    refKind: source,
    key: mergeKey({ iid, before, sha }),
    title,
    actor: author,
    fork,
    mergeRequest,
  };
}

/**
 * The event as the delivery would describe it; what git alone does not tell (author, message) is left to the
 * compilation.
 */
function triggerOf(
  project: InstallationProject & { clone_url: string },
  { ref, sha: after, commit, request }: Head,
  { before, since }: { before: string; since: number },
): Trigger {
  return {
    project: project.name,
    source: isTag(ref) ? 'tag' : 'push',
    key: pushKey({ ref, before, after }),
    deliveryId: `reconcile:${since}`,
    ref: shortName(ref),
    refKind: isTag(ref) ? 'tag' : 'branch',
    sha: commit,
    before,
    title: shortName(ref),
    actor: 'reconciler',
    defaultBranch: project.default_branch,
    cloneUrl: project.clone_url,
    fork: false,
    reconciled: { ref, after },
    receivedAt: since,
    ...(request && requestTrigger(request, before)),
  };
}
