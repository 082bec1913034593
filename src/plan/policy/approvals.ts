/**
 * Approvals of a gate that the installation file requires. Each entry requires a number of different people
 * of its own list; the file's own gate, if there is one, requires one of its approvers in addition. Pure.
 *
 * APPROVE-1 Nobody counts twice, and nobody of `notBy` counts at all.
 * APPROVE-2 The signal of people who have Temporal itself never counts.
 */
import type { Decision } from '../model/decision.ts';
import type { Gate } from '../model/plan.ts';

type Person = Pick<Decision, 'actor' | 'role'>;

/** Names or roles; an empty list means operators. */
export function isNamed(approvers: readonly string[], { actor, role }: Person): boolean {
  if (approvers.length === 0) return role === 'operator';
  return approvers.includes(actor) || approvers.includes(role);
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** The reason why this person's approval does not count; undefined if it counts. */
export function reasonNotCounted(gate: Gate, person: Person): string | undefined {
  const { protection } = gate;
  if (!protection) return undefined;
  if (person.role === 'temporal') return 'The installation asks for approvals by its users here.';
  if (protection.notBy?.some((name) => sameName(name, person.actor)))
    return `${person.actor} has started this pipeline, and another person decides (four_eyes).`;
  const named = protection.approvals.some(({ approvers }) => isNamed(approvers, person));
  if (named || (protection.written && isNamed(gate.approvers, person))) return undefined;
  return `${person.actor} is not an approver of this environment.`;
}

/** How many approvals are missing after these people have approved; 0: the gate opens. */
export function missingApprovals(gate: Gate, people: readonly Person[]): number {
  const { protection } = gate;
  if (!protection) return people.length > 0 ? 0 : 1;
  const counted = people.filter(
    (person, index) =>
      reasonNotCounted(gate, person) === undefined &&
      people.findIndex((other) => sameName(other.actor, person.actor)) === index,
  );
  const missing = protection.approvals.map(
    ({ approvers, count }) => count - counted.filter((person) => isNamed(approvers, person)).length,
  );
  const own = protection.written && !counted.some((person) => isNamed(gate.approvers, person)) ? 1 : 0;
  return Math.max(0, own, ...missing);
}
