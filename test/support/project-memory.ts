/** Memories of a project that has seen pushes. */
import type { ProjectMemory } from '../../src/plan/model/project-memory.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { emptyMemory, rememberHead, rememberKey } from '../../src/plan/policy/memory.ts';
import { triggerOf } from './plans.ts';

export const pushOf = (sha: string, before: string, delivery: string): Trigger =>
  triggerOf('p', { key: `push:main:${before}:${sha}`, sha, before, deliveryId: delivery });

/** Each has started the next pipeline. */
export function startedBy(...triggers: Trigger[]): ProjectMemory {
  const memory = emptyMemory();
  triggers.forEach((trigger, at) => {
    rememberKey(memory, { key: trigger.key, state: 'started', pipeline: `p/${at + 1}` }, trigger.deliveryId);
    rememberHead(memory, trigger, `p/${at + 1}`);
  });
  return memory;
}
