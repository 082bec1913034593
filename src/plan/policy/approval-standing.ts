/**
 * Whether earlier approvals are still valid with the current users, rights and rules. Pure.
 *
 * STAND-1 A person counts with the lower of two roles: the one at the decision, and the current one.
 * STAND-2 An approval is for the target as it was then. Without a target it comes from an earlier version or from
 *         a signal, and is not compared.
 * STAND-3 The current rules count, not those of the plan. If the environment has none any more, those of the plan
 *         stay.
 */
import type { Approval, ApprovalAnswer, ApprovalQuestion } from '../model/approval.ts';
import type { Gate, GateProtection } from '../model/plan.ts';
import { isNamed, missingApprovals } from './approvals.ts';

export interface RightsNow {
  /** Undefined: there is no such user. */
  roleOf(name: string): 'reader' | 'developer' | 'operator' | undefined;
  /** What the installation file says about the environment. */
  environment?: { refusal?: string; approvals: GateProtection['approvals']; fourEyes: boolean } | undefined;
  /** Digest of the target's entry. */
  target?: string | undefined;
  approveBySignal: boolean;
}

const ROLES = ['reader', 'developer', 'operator'] as const;

export function standing(question: ApprovalQuestion, now: RightsNow): ApprovalAnswer {
  const refusal = now.environment?.refusal;
  if (refusal !== undefined) return { verdict: 'refused', reason: refusal };
  const gate = gateNow(question, now);
  const people = question.approvals.flatMap((one) => counted(one, now));
  if (isOpen(gate, people))
    return { verdict: 'stands', ...(now.target !== undefined && { target: now.target }) };
  return { verdict: 'ask', reason: reasonOf(question, people), gate };
}

function gateNow(
  { gate, startedBy, startedBefore = [] }: ApprovalQuestion,
  { environment }: RightsNow,
): Gate {
  if (!environment || environment.approvals.length === 0) return gate;
  const written = gate.protection === undefined || gate.protection.written === true;
  return {
    ...gate,
    protection: {
      approvals: environment.approvals,
      ...(environment.fourEyes && { notBy: [startedBy, ...startedBefore] }),
      ...(written && { written }),
    },
  };
}

/** STAND-1, STAND-2. Nobody where the approval does not count any more. */
function counted(approval: Approval, { roleOf, target, approveBySignal }: RightsNow): Approval[] {
  if (approval.role === 'temporal') return approveBySignal ? [approval] : [];
  if (approval.target !== undefined && approval.target !== target) return [];
  const known = roleOf(approval.actor);
  if (known === undefined) return [];
  const role = ROLES[Math.min(ROLES.indexOf(known), ROLES.indexOf(approval.role))];
  return role === undefined || role === 'reader' ? [] : [{ ...approval, role }];
}

function isOpen(gate: Gate, people: readonly Approval[]): boolean {
  if (gate.protection) return missingApprovals(gate, people) === 0;
  return people.some((person) => person.role === 'temporal' || isNamed(gate.approvers, person));
}

function reasonOf({ job, approvals }: ApprovalQuestion, people: readonly Approval[]): string {
  const lost = approvals.filter(
    (one) => !people.some((person) => person.actor === one.actor && person.role === one.role),
  );
  const why =
    lost.length > 0
      ? `The approval by ${lost.map((one) => one.actor).join(', ')} does not count any more, because rights or the target have changed`
      : 'What was approved has changed, or more approvals are needed now';
  return `${why}. ${job} asks again.`;
}
