import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  composite,
  emptyTally,
  isAllowed,
  isSettled,
  tally,
  tokenOf,
  TOKENS,
  type Token,
} from '../../../../src/plan/policy/status.ts';
import { jobOf } from '../../../support/plans.ts';

const state = (...tokens: Token[]): string => composite(tally(tokens));

describe("a pipeline's state, in GitLab's order", () => {
  test.each<[string, Token[]]>([
    ['success', []],
    ['skipped', ['skipped', 'ignored']],
    ['success', ['success', 'skipped', 'ignored']],
    ['success', ['success', 'warning']],
    ['canceled', ['success', 'canceled', 'skipped', 'ignored', 'warning']],
    ['created', ['created', 'ignored']],
    ['running', ['running', 'manual', 'scheduled', 'waiting_for_resource', 'failed']],
    ['waiting_for_resource', ['waiting_for_resource', 'manual', 'scheduled', 'failed', 'created']],
    ['manual', ['manual', 'scheduled', 'success', 'created']],
    ['scheduled', ['scheduled', 'success', 'created']],
    ['running', ['success', 'created']],
    ['failed', ['failed', 'success', 'skipped', 'canceled', 'ignored', 'warning']],
  ])('is %s with %j', (expected, tokens) => {
    expect(state(...tokens)).toBe(expected);
  });

  test('is final exactly when nothing is open', () => {
    const final = ['success', 'failed', 'canceled', 'skipped'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 8 }), (tokens) => {
        const counts = tally(tokens);
        expect(final.includes(composite(counts))).toBe(isSettled(counts));
      }),
    );
  });
  test('does not depend on how many there are of each', () => {
    fc.assert(
      fc.property(fc.subarray([...TOKENS]), fc.nat(5), (tokens, more) => {
        const once = emptyTally();
        const often = emptyTally();
        for (const token of tokens) {
          once[token] = 1;
          often[token] = 1 + more;
        }
        expect(composite(often)).toBe(composite(once));
      }),
    );
  });
});

describe('what a job counts as', () => {
  const gate = { approvers: [], expiresInMs: 1, requires: [] };
  test('a manual job is ignored when it may fail, and blocks when it must not', () => {
    expect(tokenOf(jobOf({ key: 'a', when: 'manual' }), { phase: 'manual' })).toBe('ignored');
    expect(tokenOf(jobOf({ key: 'a', when: 'manual', allowFailure: false }), { phase: 'manual' })).toBe(
      'manual',
    );
    expect(tokenOf(jobOf({ key: 'a', when: 'manual', allowFailure: true, gate }), { phase: 'gate' })).toBe(
      'manual',
    );
  });
  test('a gate takes allow_failure away', () => {
    expect(
      isAllowed(jobOf({ key: 'a', allowFailure: true, gate }), { phase: 'ended', outcome: 'failed' }),
    ).toBe(false);
  });
  test('exit codes allow a failed script only', () => {
    const job = jobOf({ key: 'a', allowFailure: [137] });
    expect(isAllowed(job, { phase: 'ended', outcome: 'failed', exitCode: 137 })).toBe(true);
    expect(isAllowed(job, { phase: 'ended', outcome: 'failed', exitCode: 1 })).toBe(false);
    expect(isAllowed(job, { phase: 'ended', outcome: 'errored' })).toBe(false);
  });
});
