/**
 * What a project makes of a ref that the forge has deleted. Pure.
 *
 * DELETE-1 A push that follows a deletion starts a pipeline once, in whichever order the two are delivered. Before the
 *          deletion it looks like a repeat of the push that made the ref: it waits here, and is decided again after it.
 * DELETE-2 A deletion that is delivered again changes nothing.
 * DELETE-3 Whatever starts after a deletion was asked for by the forge's head at that moment (`forgeHeadIs`).
 */
import type { DeletedRef, ProjectMemory } from '../model/project-memory.ts';
import type { Trigger } from '../model/trigger.ts';
import { isForgeEvent, MAX_HEADS, pushes, refKey } from './memory.ts';

/** Each holds a whole trigger. */
export const MAX_REPEATED = 50;
const MAX_DELETION_IDS = 200;

/** A repeat by another delivery that may be the push after a deletion whose delivery is late. The newest of its ref. */
export function rememberRepeated(memory: ProjectMemory, trigger: Trigger): void {
  const { source, before, reconciled, key, deliveryId } = trigger;
  if (!isForgeEvent(source) || source === 'merge_request' || reconciled || !/^0+$/.test(before)) return;
  if (memory.keys.find((one) => one.key === key)?.deliveries.includes(deliveryId)) return;
  const others = memory.repeated?.filter((one) => refKey(one) !== refKey(trigger)) ?? [];
  memory.repeated = [...others, trigger].slice(-MAX_REPEATED);
}

/**
 * A deleted ref has no head: pushed again at the same commit it is a new event, whose key is known. Triggers that
 * arrived before the deletion come first. Returns the pushes to decide again.
 */
export function rememberDeletion(memory: ProjectMemory, deleted: DeletedRef): Trigger[] {
  if (isRepeated(memory, deleted)) return [];
  const behind = memory.queue.findLast((trigger) => refKey(trigger) === refKey(deleted));
  if (!behind) return applyDeletion(memory, deleted);
  memory.deletions = [...(memory.deletions ?? []), { ...deleted, behind: behind.key }].slice(-MAX_HEADS);
  return [];
}

/** DELETE-2. One delivery of a forge may report several refs. */
function isRepeated(memory: ProjectMemory, { deliveryId, ...deleted }: DeletedRef): boolean {
  if (deliveryId === undefined) return false;
  const id = `${deliveryId} ${refKey(deleted)}`;
  if (memory.deletionIds?.includes(id)) return true;
  memory.deletionIds = [...(memory.deletionIds ?? []), id].slice(-MAX_DELETION_IDS);
  return false;
}

/** The trigger with this key is done: the deletions behind it take effect. Returns the pushes to decide again. */
export function applyDeletions(memory: ProjectMemory, key: string): Trigger[] {
  const due = memory.deletions?.filter(({ behind }) => behind === key) ?? [];
  if (due.length === 0) return [];
  memory.deletions = memory.deletions?.filter(({ behind }) => behind !== key);
  return due.flatMap((deleted) => applyDeletion(memory, deleted));
}

/** Nothing changes if the deletion is late: then a newer push has made the head. */
function applyDeletion(memory: ProjectMemory, { ref, refKind, before }: DeletedRef): Trigger[] {
  const gone = refKey({ refKind, ref });
  const head = memory.heads.find((one) => one.ref === gone);
  const pushed = pushes(memory).find((one) => one.ref === gone);
  const points = (sha: string): boolean =>
    before === undefined ||
    sha === before ||
    (refKind === 'tag' && isObjectOf(memory, before, { ref, head }));
  // A person's pipeline of another commit of the branch is a head, too, and was never the forge's.
  if (!points(pushed?.sha ?? head?.sha ?? before ?? '')) return [];
  memory.pushed = pushes(memory).filter((one) => one.ref !== gone);
  memory.heads = memory.heads.filter((one) => one !== head || !points(one.sha));
  const again = memory.repeated?.filter((one) => refKey(one) === gone && points(one.sha)) ?? [];
  if (again.length > 0) memory.repeated = memory.repeated?.filter((one) => !again.includes(one));
  return again;
}

/** The key of a tag's push names the tag object, and the memory has its commit. A key may be forgotten. */
function isObjectOf(
  { keys }: ProjectMemory,
  object: string,
  { ref, head }: { ref: string; head: ProjectMemory['heads'][number] | undefined },
): boolean {
  const key = keys.findLast(
    (one) => one.pipeline === head?.pipeline && one.key.startsWith(`push:refs/tags/${ref}:`),
  );
  return key === undefined || key.key.endsWith(`:${object}`);
}
