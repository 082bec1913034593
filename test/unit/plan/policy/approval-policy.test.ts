import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../../src/plan/model/outcome.ts';
import { judge, type DecisionView } from '../../../../src/plan/policy/approval-policy.ts';
import type { Decision, JobPhase } from '../../../../src/plan/model/protocol.ts';
import { startedOf, supersedeEffect } from '../../../../src/plan/policy/supersede.ts';
import { jobOf } from '../../../support/plans.ts';

const gate = { approvers: ['ops', 'ann'], expiresInMs: 1, requires: ['unit'] };
const view = (phase: JobPhase, more: Partial<DecisionView> = {}): DecisionView => ({
  job: jobOf({ key: 'deploy', gate }),
  status: { phase, decisions: [] },
  missing: [],
  approveBySignal: true,
  ...more,
});
const by = (actor: string, role: Decision['role'], action: Decision['action'] = 'play'): Decision => ({
  action,
  job: 'deploy',
  actor,
  role,
});
const answer = (of: DecisionView, decision: Decision): string => {
  const verdict = judge(of, decision);
  return verdict.accepted ? verdict.effect : `${verdict.code}${verdict.record ? ' recorded' : ''}`;
};

describe('a gate', () => {
  test('records refused requests, up to a limit', () => {
    const refused = { ...by('bob', 'developer'), answer: 'gate/not-an-approver' };
    const after = (count: number): string =>
      answer(
        view('gate', { status: { phase: 'gate', decisions: Array.from({ length: count }, () => refused) } }),
        by('bob', 'developer'),
      );
    expect(after(19)).toBe('gate/not-an-approver recorded');
    expect(after(20)).toBe('gate/not-an-approver');
    const accepted = Array.from({ length: 30 }, () => ({ ...by('ann', 'developer'), answer: 'accepted' }));
    const busy = view('gate', { status: { phase: 'gate', decisions: accepted } });
    expect(answer(busy, by('bob', 'developer'))).toBe('gate/not-an-approver recorded');
  });

  test.each([
    ['ann', 'developer', 'approve'],
    ['ops', 'reader', 'gate/not-an-approver recorded'],
    ['bob', 'developer', 'gate/not-an-approver recorded'],
    ['olga', 'operator', 'gate/not-an-approver recorded'],
    ['temporal', 'temporal', 'approve'],
  ] as const)('named approvers: %s as %s: %s', (actor, role, expected) => {
    expect(answer(view('gate'), by(actor, role))).toBe(expected);
  });
  test('a role can be named, and no name means operators', () => {
    const of = (approvers: string[]): DecisionView =>
      view('gate', { job: jobOf({ key: 'deploy', gate: { ...gate, approvers } }) });
    expect(answer(of(['developer']), by('bob', 'developer'))).toBe('approve');
    expect(answer(of([]), by('olga', 'operator'))).toBe('approve');
    expect(answer(of([]), by('bob', 'developer'))).toBe('gate/not-an-approver recorded');
  });
  test('the signal can be switched off, and the attempt is recorded', () => {
    expect(answer(view('gate', { approveBySignal: false }), by('temporal', 'temporal'))).toBe(
      'gate/not-an-approver recorded',
    );
  });
  test('before its turn it is not ready, and other users learn only that they may not decide', () => {
    const early = view('created', { missing: ['unit'] });
    expect(answer(early, by('ann', 'developer'))).toBe('gate/not-ready');
    expect(answer(early, by('bob', 'developer'))).toBe('gate/not-an-approver recorded');
    const verdict = judge(early, by('ann', 'developer'));
    expect(verdict.message).toContain('unit');
  });
  test('after its end a decision is a conflict, and is recorded', () => {
    const decisions = [{ ...by('ann', 'developer'), answer: 'accepted' }];
    const after = view('running', { status: { phase: 'running', decisions } });
    expect(answer(after, by('ann', 'developer'))).toBe('job/decided recorded');
    expect(answer(after, by('ann', 'developer', 'reject'))).toBe('job/decided recorded');
    const expired = view('ended', { status: { phase: 'ended', outcome: 'expired', decisions: [] } });
    expect(answer(expired, by('ann', 'developer'))).toBe('gate/expired recorded');
    const cancelled = view('ended', { status: { phase: 'ended', outcome: 'cancelled', decisions: [] } });
    expect(answer(cancelled, by('ann', 'developer'))).toBe('job/not-playable recorded');
  });
});

describe('manual_confirmation', () => {
  const asked = { job: jobOf({ key: 'deploy', confirmation: 'Really?' }) };
  test('a job with a text is not started before it is confirmed', () => {
    const manual = view('manual', asked);
    expect(judge(manual, by('bob', 'developer'))).toMatchObject({
      code: 'job/unconfirmed',
      message: 'Really?',
      record: false,
    });
    expect(answer(manual, { ...by('bob', 'developer'), confirm: true })).toBe('play');
  });
  test('a gate asks too, and only its approvers', () => {
    const both = view('gate', { job: jobOf({ key: 'deploy', gate, confirmation: 'Really?' }) });
    expect(answer(both, { ...by('bob', 'developer'), confirm: true })).toBe('gate/not-an-approver recorded');
    expect(answer(both, by('ann', 'developer'))).toBe('job/unconfirmed');
    expect(answer(both, by('ann', 'developer', 'reject'))).toBe('reject');
  });
});

describe('retry and cancel', () => {
  test.each(['succeeded', 'failed', 'errored', 'cancelled', 'expired'] as const)(
    '%s can be retried',
    (outcome) => {
      const of = view('ended', { status: { phase: 'ended', outcome, decisions: [] } });
      expect(answer(of, by('bob', 'developer', 'retry'))).toBe('retry');
    },
  );
  test('a skipped or running job cannot be retried', () => {
    const skipped = view('ended', { status: { phase: 'ended', outcome: 'skipped', decisions: [] } });
    expect(answer(skipped, by('bob', 'developer', 'retry'))).toBe('job/not-playable');
    expect(answer(view('running'), by('bob', 'developer', 'retry'))).toBe('job/not-playable');
  });
  test('a job is cancelled once', () => {
    expect(answer(view('created'), by('bob', 'developer', 'cancelJob'))).toBe('cancel');
    expect(answer(view('stopping'), by('bob', 'developer', 'cancelJob'))).toBe('job/decided recorded');
    expect(answer(view('ended'), by('bob', 'developer', 'cancelJob'))).toBe('job/not-playable recorded');
  });
});

test('a job that has ended can stop an environment too, once for each deployment', () => {
  const stop = { ...by('davit', 'operator'), stops: 500 };
  const ended = (outcome: Outcome, since: number): DecisionView =>
    view('ended', { status: { phase: 'ended', outcome, since, decisions: [] } });
  for (const outcome of ['skipped', 'failed', 'cancelled'] as const)
    expect(answer(ended(outcome, 900), stop)).toBe('stop');
  expect(answer(ended('succeeded', 400), stop)).toBe('stop');
  expect(answer(ended('succeeded', 900), stop)).toBe('job/decided recorded');
  expect(answer(ended('skipped', 400), by('bob', 'developer'))).toBe('job/not-playable recorded');
});

describe('a newer commit', () => {
  const jobs = (...list: [boolean, 'yes' | 'no' | 'maybe'][]) =>
    list.map(([interruptible, started]) => ({ job: { interruptible }, started }));
  test('conservative: cancels until the first job that is not interruptible has started', () => {
    expect(supersedeEffect('conservative', jobs([true, 'yes'], [false, 'no']))).toBe('cancel');
    expect(supersedeEffect('conservative', jobs([true, 'yes'], [false, 'yes']))).toBe('none');
    expect(supersedeEffect('conservative', jobs([false, 'maybe'], [false, 'no']))).toBe('wait');
  });
  test('interruptible: cancels only such jobs; none: cancels nothing', () => {
    expect(supersedeEffect('interruptible', jobs([false, 'yes']))).toBe('cancel-interruptible');
    expect(supersedeEffect('none', jobs([true, 'no']))).toBe('none');
  });
  test('a dispatched job may be running until it is known to wait', () => {
    const status = { attempt: 1, result: undefined, waitingFor: undefined };
    expect(startedOf({ ...status, phase: 'dispatched' })).toBe('maybe');
    expect(startedOf({ ...status, phase: 'dispatched', waitingFor: 'queue:arm32' })).toBe('no');
    expect(startedOf({ ...status, phase: 'running' })).toBe('yes');
    expect(startedOf({ ...status, phase: 'manual' })).toBe('no');
  });
});
