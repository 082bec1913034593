/** Whether approvals that were given still count, by the rights of now. */
import { describe, expect, test } from 'vitest';
import type { Approval, ApprovalQuestion } from '../../../../src/plan/model/approval.ts';
import type { Gate } from '../../../../src/plan/model/plan.ts';
import { standing, type RightsNow } from '../../../../src/plan/policy/approval-standing.ts';

type Role = 'reader' | 'developer' | 'operator';
const gateOf = (more: Partial<Gate> = {}): Gate => ({ approvers: [], expiresInMs: 1, requires: [], ...more });
const ask = (approvals: Approval[], more: Partial<ApprovalQuestion> = {}): ApprovalQuestion => ({
  project: 'shop',
  job: 'deploy',
  environment: 'prod',
  startedBy: 'ada',
  ref: 'main',
  protectedRef: true,
  fork: false,
  gate: gateOf(),
  approvals,
  ...more,
});
const now = (users: Record<string, Role>, more: Partial<RightsNow> = {}): RightsNow => ({
  roleOf: (name) => users[name],
  approveBySignal: true,
  ...more,
});
const by = (actor: string, role: Approval['role'] = 'operator', target?: string): Approval => ({
  actor,
  role,
  ...(target !== undefined && { target }),
});

describe('an approval by role', () => {
  test.each<[string, Approval, RightsNow, string]>([
    ['stands', by('ops'), now({ ops: 'operator' }), 'stands'],
    ['of a removed user is lost', by('ops'), now({ olga: 'operator' }), 'ask'],
    ['of a demoted user is lost', by('ops'), now({ ops: 'developer' }), 'ask'],
    [
      'of a user who was promoted later does not count',
      by('ops', 'developer'),
      now({ ops: 'operator' }),
      'ask',
    ],
    ['of another spelling is of another user', by('Ops'), now({ ops: 'operator' }), 'ask'],
    ['by signal stands', by('temporal', 'temporal'), now({}), 'stands'],
    [
      'by signal is lost when signals are off',
      by('temporal', 'temporal'),
      now({}, { approveBySignal: false }),
      'ask',
    ],
    [
      'for the same target stands',
      by('ops', 'operator', 't1'),
      now({ ops: 'operator' }, { target: 't1' }),
      'stands',
    ],
    [
      'for another target is lost',
      by('ops', 'operator', 't1'),
      now({ ops: 'operator' }, { target: 't2' }),
      'ask',
    ],
    ['for a target that is gone is lost', by('ops', 'operator', 't1'), now({ ops: 'operator' }), 'ask'],
    [
      'of an earlier version names no target',
      by('ops'),
      now({ ops: 'operator' }, { target: 't2' }),
      'stands',
    ],
  ])('%s', (_what, approval, rights, verdict) => {
    expect(standing(ask([approval]), rights).verdict).toBe(verdict);
  });
  test('is asked for at all', () => expect(standing(ask([]), now({})).verdict).toBe('ask'));
});

test('a reader never counts, whatever the gate names', () => {
  const gate = gateOf({ approvers: ['rita', 'reader'] });
  expect(standing(ask([by('rita', 'developer')], { gate }), now({ rita: 'reader' })).verdict).toBe('ask');
  expect(standing(ask([by('rita', 'developer')], { gate }), now({ rita: 'developer' })).verdict).toBe(
    'stands',
  );
});

describe('a protected environment', () => {
  const protection = { approvals: [{ approvers: ['ops', 'olga'], count: 2 }], notBy: ['ada'] };
  const gate = gateOf({ protection });
  const both = [by('ops'), by('olga')];
  const users = { ops: 'operator', olga: 'operator', ada: 'operator' } as const;
  const environment = (more: object = {}) => ({ ...protection, fourEyes: true, ...more });

  test('needs all of its approvals still', () => {
    expect(standing(ask(both, { gate }), now(users)).verdict).toBe('stands');
    expect(standing(ask(both, { gate }), now({ ops: 'operator' })).verdict).toBe('ask');
  });
  test('is asked for by the rules of now', () => {
    const three = environment({ approvals: [{ approvers: ['ops', 'olga', 'ida'], count: 3 }] });
    const answer = standing(ask(both, { gate }), now(users, { environment: three }));
    expect(answer).toMatchObject({
      verdict: 'ask',
      gate: { protection: { approvals: three.approvals, notBy: ['ada'] } },
    });
    const fewer = environment({ approvals: [{ approvers: ['ops'], count: 1 }] });
    expect(standing(ask([by('ops')], { gate }), now(users, { environment: fewer })).verdict).toBe('stands');
  });
  test('counts nobody who has started the pipeline', () => {
    const self = { approvals: [{ approvers: ['ada'], count: 1 }], fourEyes: true };
    expect(standing(ask([by('ada')]), now(users, { environment: self })).verdict).toBe('ask');
  });
  test('counts nobody who has started the one that the pipeline runs again', () => {
    const self = { approvals: [{ approvers: ['ada'], count: 1 }], fourEyes: true };
    const again = { startedBy: 'olga', startedBefore: ['ada'] };
    expect(standing(ask([by('ada')], again), now(users, { environment: self })).verdict).toBe('ask');
  });
  test('keeps the gate of the file beside its own', () => {
    const written = gateOf({ approvers: ['ida'] });
    const answer = standing(ask(both, { gate: written }), now(users, { environment: environment() }));
    expect(answer).toMatchObject({
      verdict: 'ask',
      gate: { approvers: ['ida'], protection: { written: true } },
    });
  });
  test('that takes no such ref any more refuses', () => {
    const closed = environment({ refusal: 'takes no deployments of main' });
    expect(standing(ask(both, { gate }), now(users, { environment: closed }))).toEqual({
      verdict: 'refused',
      reason: 'takes no deployments of main',
    });
  });
  test('that is not protected any more keeps what the plan asked for', () => {
    expect(standing(ask([by('ops')], { gate }), now(users)).verdict).toBe('ask');
  });
});
