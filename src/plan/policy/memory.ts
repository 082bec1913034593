/**
 * What a project workflow remembers, bounded, carried over continue-as-new. The records of the store remember the rest for
 * ever (claimPipeline): what has fallen out of here is asked there.
 */
import type { EnvironmentState } from './environments.ts';
import { parsePipelineId, type PipelineId } from '../model/ids.ts';
import { SEQ_STRIDE, type LockState } from './locks.ts';
import type { KeyLookup, PipelineState, RerunRequest } from '../model/protocol.ts';
import type { Trigger, TriggerSource } from '../model/trigger.ts';

export interface ProjectMemory {
  /** Newest last. */
  keys: KnownKey[];
  /** Last head seen of each ref, by `KIND:REF`; newest last. */
  heads: Head[];
  /** The same of the forge's events alone; absent in a memory that is older than this field. */
  pushed?: PushedHead[];
  running: RunningPipeline[];
  locks: LockState[];
  /** Not begun yet. */
  queue: Trigger[];
  reruns: RerunRequest[];
  environments?: EnvironmentState[];
}
interface Head {
  /** `KIND:REF` */
  ref: string;
  sha: string;
  /** Of the earliest push that is known to have led to it. */
  before: string;
  pipeline: PipelineId;
  /** Pushes on the way to it that were told after it. */
  late?: number;
}
export interface PushedHead {
  /** `KIND:REF` */
  ref: string;
  sha: string;
  before: string;
  /** No delivery told it: one that comes late starts nothing. */
  reconciled?: true;
}
export interface KnownKey {
  key: string;
  deliveries: string[];
  state: Exclude<KeyLookup['state'], 'unknown'>;
  pipeline?: PipelineId;
  message?: string;
}
export interface RunningPipeline {
  id: PipelineId;
  runId: string;
  ref: string;
  refKind: Trigger['refKind'];
  source: TriggerSource;
  iid: number;
  /** Of a child: what asked for the head of its family. */
  origin?: TriggerSource;
  state?: PipelineState;
}

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

/** Events of a forge can come again; CLI, API, web and schedule carry a request id of their own. */
export const isForgeEvent = (source: TriggerSource): boolean =>
  source === 'push' || source === 'tag' || source === 'merge_request';

/**
 * What memory alone says of a trigger. `new`: start it, if the store agrees. `ask`: the key is known and the delivery is not,
 * so somebody may have pushed the same commit back: ask the forge. `queued` counts as repeated only when it arrives.
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
 * The pipeline of a newer event of the same ref that came in before this one: this one starts, and is superseded at once.
 * `order`: its place among the pipelines of the project, below that newer one and above all that were older before.
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

/** What came late stands in front of the head now: the push before it may come later still. */
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
  const at = memory.keys.findIndex((known) => known.key === entry.key);
  const old = at < 0 ? undefined : memory.keys.splice(at, 1)[0];
  const deliveries = [...new Set([...(old?.deliveries ?? []), deliveryId])].slice(-MAX_DELIVERIES);
  memory.keys.push({ ...old, ...entry, deliveries });
  if (memory.keys.length > MAX_KEYS) memory.keys.splice(0, memory.keys.length - MAX_KEYS);
}

/** Whatever asks by this key from now on has come too late. What is known of it already stands. */
export function voidKey(memory: ProjectMemory, key: string): void {
  if (memory.keys.some((known) => known.key === key)) return;
  rememberKey(
    memory,
    { key, state: 'refused', message: 'Its job was cancelled before it was started.' },
    key,
  );
}

/** When the oldest trigger that has no pipeline yet was received, epoch ms: what it needs is stored, and named by no record. */
export const waitingSince = (memory: Pick<ProjectMemory, 'queue'>): number | null =>
  memory.queue.reduce<number | null>(
    (oldest, { receivedAt }) => Math.min(oldest ?? receivedAt, receivedAt),
    null,
  );

/** Children are no pipelines of their branch; what was started by a job of another project is. */
export function newestOf(memory: ProjectMemory, branch: string): PipelineId | null {
  const heads = memory.heads.filter((head) => head.ref === refKey({ refKind: 'branch', ref: branch }));
  const open = memory.running.filter(
    (run) => run.refKind === 'branch' && run.ref === branch && run.source !== 'parent_pipeline',
  );
  const all = [...heads.map((head) => head.pipeline), ...open.map((run) => run.id)];
  const iid = (id: PipelineId): number => parsePipelineId(id)?.iid ?? 0;
  return all.toSorted((a, b) => iid(b) - iid(a))[0] ?? null;
}

/** As if it had never come: the reconciler will look again. */
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

const pushes = (memory: ProjectMemory): readonly PushedHead[] =>
  memory.pushed ?? memory.heads.map(({ ref, sha, before }) => ({ ref, sha, before }));

/** The last head of a ref that the forge, or the reconciler, has told. */
export const pushedHead = (
  memory: ProjectMemory,
  trigger: Pick<Trigger, 'refKind' | 'ref'>,
): PushedHead | undefined => pushes(memory).find((head) => head.ref === refKey(trigger));

export const pushedHeads = (memory: ProjectMemory): Record<string, string> =>
  Object.fromEntries(pushes(memory).map(({ ref, sha }) => [ref, sha]));

/**
 * What a delivery says of a ref whose head the reconciler has found before it came. `late`: it tells of that head, or of a
 * push on the way to it. `next`: it goes on from that head, or nothing was found. `ask`: only the forge knows.
 */
export function lateness(memory: ProjectMemory, trigger: Trigger): 'late' | 'next' | 'ask' {
  if (trigger.source !== 'push' && trigger.source !== 'tag') return 'next';
  const found = pushedHead(memory, trigger);
  if (!found?.reconciled || trigger.before === found.sha) return 'next';
  return trigger.sha === found.sha || trigger.before === found.before ? 'late' : 'ask';
}

/** Running pipelines that a new one takes the place of: older ones of the same branch or merge request, by push. */
export function superseded(memory: ProjectMemory, trigger: Trigger): RunningPipeline[] {
  const pushed = (source: TriggerSource): boolean => source === 'push' || source === 'merge_request';
  if (!pushed(trigger.source) || trigger.refKind === 'tag') return [];
  return memory.running.filter(
    (run) => run.ref === trigger.ref && run.refKind === trigger.refKind && pushed(run.origin ?? run.source),
  );
}
