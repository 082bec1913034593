/** A deployment that people approved: the approvals are checked right before it is written. */
import { describe, expect, test } from 'vitest';
import type { ApprovalAnswer, ApprovalQuestion } from '../../../../src/plan/model/approval.ts';
import { asActivity } from '../fakes.ts';
import { fakeTarget, setUp } from './bench.ts';

describe('an approval', () => {
  const approval: ApprovalQuestion = {
    project: 'table',
    job: 'ship',
    startedBy: 'ada',
    ref: 'main',
    fork: false,
    target: 'prod',
    gate: { approvers: [], expiresInMs: 1, requires: [] },
    approvals: [{ actor: 'ops', role: 'operator' }],
  };
  const asking = (answer: ApprovalAnswer) => {
    const fake = fakeTarget();
    const asked: ApprovalQuestion[] = [];
    const approvals = async (question: ApprovalQuestion) => {
      asked.push(question);
      return answer;
    };
    return { fake, asked, ...setUp(fake, { approvals }) };
  };
  const lost: ApprovalAnswer = { verdict: 'ask', reason: 'ops has gone', gate: approval.gate };

  test.each<[string, ApprovalAnswer, string, string]>([
    ['that is lost', lost, 'approval', 'ops has gone'],
    ['of a ref that is not taken', { verdict: 'refused', reason: 'not main' }, 'config', 'not main'],
    [
      'of another entry of the target',
      { verdict: 'stands', target: 'other' },
      'config',
      'Restart the worker',
    ],
  ])('%s lets nothing be written', async (_what, answer, kind, text) => {
    const { activities, input, fake, asked, records } = asking(answer);
    const output = await asActivity(activities.applyDeploy, await input({ input: { approval } }));
    expect(output).toMatchObject({
      kind: 'failed',
      result: { outcome: 'failed', kind, started: false, message: expect.stringContaining(text) },
    });
    expect([fake.calls, [...records.all.keys()], asked]).toEqual([[], [], [approval]]);
  });

  test('that stands lets it be written; what is written already stays, whatever becomes of it', async () => {
    let answer: ApprovalAnswer = { verdict: 'stands' };
    const fake = fakeTarget();
    const { activities, input } = setUp(fake, { approvals: async () => answer });
    const deploy = await input({ input: { approval } });
    expect(await asActivity(activities.applyDeploy, deploy)).toMatchObject({ kind: 'applied' });
    answer = lost;
    expect(await asActivity(activities.applyDeploy, deploy)).toMatchObject({ kind: 'already' });
  });
});
