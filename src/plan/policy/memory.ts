/**
 * What a project workflow remembers: bounded, and carried over continue-as-new. The records of the store
 * remember everything (claimPipeline): keys that were dropped here are looked up there.
 */
import { parsePipelineId, type PipelineId } from '../model/ids.ts';
import { SEQ_STRIDE } from './grant-locks.ts';
import type { KnownKey, ProjectMemory, PushedHead, RunningPipeline } from '../model/project-memory.ts';
import type { Trigger, TriggerSource } from '../model/trigger.ts';

export const MAX_KEYS = 500;
export const MAX_HEADS = 500;
const MAX_DELIVERIES = 20;

export const emptyMemory = (): ProjectMemory => ({
  keys: [],
  heads: [],
  running: [],
  locks: [],
  queue: [],
  reruns: [],
});
export const refKey = (trigger: Pick<Trigger, 'refKind' | 'ref'>): string =>
  `${trigger.refKind}:${trigger.ref}`;

/** Events of a forge can be repeated; CLI, API, web and schedule have a request id of their own. */
export const isForgeEvent = (source: TriggerSource): boolean =>
  source === 'push' || source === 'tag' || source === 'merge_request';

/**
 * What memory alone knows about a trigger. `new`: start it, if the store agrees. `ask`: the key is known and
 * the delivery is not, so the same commit may have been pushed back: ask the forge. `queued` counts as
 * repeated only when it arrives.
 */
export function knownTrigger(
  memory: ProjectMemory,
  trigger: Trigger,
  when: 'arrives' | 'begins',
): 'new' | 'repeated' | 'ask' {
  const known = memory.keys.find((entry) => entry.key === trigger.key);
  if (!known) return 'new';
  if (known.state === 'queued') return when === 'begins' ? 'new' : 'repeated';
  if (known.deliveries.includes(trigger.deliveryId) || !isForgeEvent(trigger.source)) return 'repeated';
  return headOf(memory, trigger)?.sha === trigger.sha ? 'repeated' : 'ask';
}

export const headOf = (
  memory: ProjectMemory,
  trigger: Pick<Trigger, 'refKind' | 'ref'>,
): ProjectMemory['heads'][number] | undefined => memory.heads.find((head) => head.ref === refKey(trigger));

/**
 * The pipeline of a newer event of the same ref that arrived before this one: this one starts, and is
 * superseded at once. `order`: its place among the pipelines of the project, below the newer one and above
 * all older ones.
 */
export function newerThan(
  memory: ProjectMemory,
  trigger: Trigger,
): { pipeline: PipelineId; order: number } | undefined {
  const head = headOf(memory, trigger);
  if (!head || head.sha === trigger.sha || head.before !== trigger.sha) return undefined;
  const iid = parsePipelineId(head.pipeline)?.iid ?? 0;
  return { pipeline: head.pipeline, order: iid - ((head.late ?? 0) + 1) / SEQ_STRIDE };
}

/**
 * True if `newerThan` is wrong about a trigger: a person asks for it now, it is a push that follows the head (back to
 * the commit before it), or the head was never pushed.
 */
export const isWanted = (memory: ProjectMemory, trigger: Trigger): boolean => {
  const head = headOf(memory, trigger)?.sha;
  return (
    !isForgeEvent(trigger.source) || trigger.before === head || pushedHead(memory, trigger)?.sha !== head
  );
};

/**
 * The delivered step of a ref that leads to the head that the reconciler found. Pushes have arrived in another order
 * than they were made then: no delivery has led away from that head, as one would before a push back to it. Undefined:
 * it was not delivered, or may have been pushed back.
 */
export function deliveredStep(
  memory: ProjectMemory,
  { reconciled, mergeRequest, sha }: Pick<Trigger, 'reconciled' | 'mergeRequest' | 'sha'>,
): { before: string; pipeline: PipelineId } | undefined {
  const prefix = mergeRequest ? `merge_request:${mergeRequest.iid}:` : `push:${reconciled?.ref ?? ''}:`;
  const head = mergeRequest ? sha : reconciled?.after;
  let found: { before: string; pipeline: PipelineId } | undefined;
  for (const { key, state, pipeline } of memory.keys) {
    if (!key.startsWith(prefix)) continue;
    const [before = '', after] = key.slice(prefix.length).split(':');
    if (before === head) return undefined;
    if (after === head && state === 'started' && pipeline) found = { before, pipeline };
  }
  return found;
}

/** A delivery of the same ref waits behind: it is decided first. */
export const deliveryWaits = (memory: ProjectMemory, trigger: Trigger): boolean =>
  memory.queue.some(
    (other) => !other.reconciled && isForgeEvent(other.source) && refKey(other) === refKey(trigger),
  );

/** The late push is now the first one known before the head: the push before it may arrive even later. */
export function rememberLate(memory: ProjectMemory, trigger: Trigger): void {
  const ref = refKey(trigger);
  memory.heads = memory.heads.map((head) =>
    head.ref === ref ? { ...head, before: trigger.before, late: (head.late ?? 0) + 1 } : head,
  );
}

export function rememberKey(
  memory: ProjectMemory,
  entry: Omit<KnownKey, 'deliveries'>,
  deliveryId: string,
): void {
  const index = memory.keys.findIndex((known) => known.key === entry.key);
  const old = index < 0 ? undefined : memory.keys.splice(index, 1)[0];
  const deliveries = [...new Set([...(old?.deliveries ?? []), deliveryId])].slice(-MAX_DELIVERIES);
  memory.keys.push({ ...old, ...entry, deliveries });
  if (memory.keys.length > MAX_KEYS) memory.keys.splice(0, memory.keys.length - MAX_KEYS);
}

/** From now on a trigger with this key is refused. A key that is known already does not change. */
export function voidKey(memory: ProjectMemory, key: string): void {
  if (memory.keys.some((known) => known.key === key)) return;
  rememberKey(
    memory,
    { key, state: 'refused', message: 'The trigger job was cancelled before the pipeline was started.' },
    key,
  );
}

/**
 * When the oldest trigger without a pipeline was received, epoch ms: its inputs are in the store, and no
 * record names them yet.
 */
export const waitingSince = (memory: Pick<ProjectMemory, 'queue'>): number | null =>
  memory.queue.reduce<number | null>(
    (oldest, { receivedAt }) => Math.min(oldest ?? receivedAt, receivedAt),
    null,
  );

/** A child is not a pipeline of its branch; a pipeline that a job of another project started is. */
export function newestOf(memory: ProjectMemory, branch: string): PipelineId | null {
  const heads = memory.heads.filter((head) => head.ref === refKey({ refKind: 'branch', ref: branch }));
  const open = memory.running.filter(
    (run) => run.refKind === 'branch' && run.ref === branch && run.source !== 'parent_pipeline',
  );
  const all = [...heads.map((head) => head.pipeline), ...open.map((run) => run.id)];
  const iid = (id: PipelineId): number => parsePipelineId(id)?.iid ?? 0;
  return all.toSorted((a, b) => iid(b) - iid(a))[0] ?? null;
}

/** As if it had never arrived: the reconciler will look again. */
export function forgetQueued(memory: ProjectMemory, key: string): void {
  memory.keys = memory.keys.filter((known) => known.key !== key || known.state !== 'queued');
}

export function rememberHead(memory: ProjectMemory, trigger: Trigger, pipeline: PipelineId): void {
  const ref = refKey(trigger);
  memory.heads = [
    ...memory.heads.filter((head) => head.ref !== ref),
    { ref, sha: trigger.sha, before: trigger.before, pipeline },
  ].slice(-MAX_HEADS);
  if (!isForgeEvent(trigger.source)) return;
  const { sha, before, reconciled } = trigger;
  memory.pushed = [
    ...pushes(memory).filter((head) => head.ref !== ref),
    { ref, sha, before, ...(reconciled && { reconciled: true as const }) },
  ].slice(-MAX_HEADS);
}

export const pushes = (memory: ProjectMemory): readonly PushedHead[] =>
  memory.pushed ?? memory.heads.map(({ ref, sha, before }) => ({ ref, sha, before }));

/** The last head of a ref that the forge or the reconciler reported. */
export const pushedHead = (
  memory: ProjectMemory,
  trigger: Pick<Trigger, 'refKind' | 'ref'>,
): PushedHead | undefined => pushes(memory).find((head) => head.ref === refKey(trigger));

export const pushedHeads = (memory: ProjectMemory): Record<string, string> =>
  Object.fromEntries(pushes(memory).map(({ ref, sha }) => [ref, sha]));

/**
 * How a delivery relates to a head that the reconciler found before it arrived. `late`: it reports that head,
 * or a push on the way to it. `next`: it continues from that head, or nothing was found. `ask`: only the
 * forge knows.
 */
export function lateness(memory: ProjectMemory, trigger: Trigger): 'late' | 'next' | 'ask' {
  if (!isForgeEvent(trigger.source)) return 'next';
  const found = pushedHead(memory, trigger);
  if (!found?.reconciled || trigger.before === found.sha) return 'next';
  // Gitea does not say which head a request had before.
  if (trigger.source === 'merge_request' && /^0+$/.test(trigger.before))
    return trigger.sha === found.sha ? 'late' : 'ask';
  return trigger.sha === found.sha || trigger.before === found.before ? 'late' : 'ask';
}

/**
 * Running pipelines that a new one supersedes: older ones of the same branch or merge request, started by a
 * push.
 */
export function superseded(memory: ProjectMemory, trigger: Trigger): RunningPipeline[] {
  const pushed = (source: TriggerSource): boolean => source === 'push' || source === 'merge_request';
  if (!pushed(trigger.source) || trigger.refKind === 'tag') return [];
  return memory.running.filter(
    (run) => run.ref === trigger.ref && run.refKind === trigger.refKind && pushed(run.origin ?? run.source),
  );
}
