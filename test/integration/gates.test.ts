/** Random actions of people in random order: nothing behind a gate runs without an approval of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { Decision, PipelineStatus } from '../../src/plan/model/protocol.ts';
import { standing } from '../../src/plan/policy/approval-standing.ts';
import { decide, signalRerun } from '../../src/temporal/calls.ts';
import { planOf } from '../support/plans.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
  world.fakes.approvals = async (question) => {
    const lost = revoked.has(question.project);
    return standing(question, { roleOf: () => (lost ? 'reader' : 'developer'), approveBySignal: !lost });
  };
});
afterAll(() => world.close());

const acts = [
  'approve',
  'stranger',
  'reject',
  'retry',
  'cancelJob',
  'cancel',
  'signal',
  'pause',
  'revoke',
  'restore',
] as const;
/** Projects in which ops has lost the role, and signals do not count. */
const revoked = new Set<string>();
const deeds = fc.array(fc.record({ act: fc.constantFrom(...acts), together: fc.boolean() }), {
  minLength: 3,
  maxLength: 10,
});
type Deed = { act: (typeof acts)[number]; together: boolean };
const SEED = 20_260_101;

describe.concurrent('random decisions', () => {
  for (const [at, list] of fc.sample(deeds, { numRuns: 24, seed: SEED }).entries())
    test(`${at}: ${list.map((deed) => deed.act).join(' ')}`, async () => {
      const slug = `gate-${at}`;
      world.project(slug, {
        plan: planOf([
          { key: 'unit' },
          { key: 'deploy', gate: { approvers: ['ops'], expiresInMs: 600_000, requires: ['unit'] } },
          { key: 'after', stage: 'z' },
        ]),
        behaviours: { deploy: [{ outcome: 'failed' }, {}, { outcome: 'failed' }, {}] },
      });
      const id = await world.push(slug);
      let going: Promise<unknown>[] = [];
      for (const deed of list) {
        going.push(perform(id, slug, deed));
        if (deed.together) continue;
        await Promise.all(going);
        going = [];
      }
      await Promise.all(going);
      revoked.delete(slug);
      // Reruns in flight come first: the project handles one request after the other.
      await world.push(slug, { source: 'api', key: 'request:last', deliveryId: 'last' });
      await world.handle(id).cancel().catch(closed);
      const status = await world.end(id);
      check(slug, id, status);
      await world.handle(`${slug}/2`).cancel().catch(closed);
      await world.end(`${slug}/2`);
    });
});

/** The first activity of each attempt has an accepted approval before it that no earlier attempt has used. */
function check(slug: string, id: PipelineId, status: PipelineStatus): void {
  const job = status.jobs.find((other) => other.key === 'deploy');
  const journal = world.fakes.journal(slug);
  const runs = journal.filter(
    (entry) => entry.activity === 'runJob' && entry.job === 'deploy' && entry.pipeline === id,
  );
  const approvals = (job?.decisions ?? []).filter(
    (one) => one.action === 'play' && one.answer === 'accepted',
  );
  expect(runs.length).toBeLessThanOrEqual(approvals.length);
  runs.forEach((run, at) => {
    const before = approvals.filter((one) => (one.at ?? Number.POSITIVE_INFINITY) <= run.at);
    expect(before.length).toBeGreaterThan(at);
  });
  // Right before it, the server has said that its approvals stand.
  for (const run of runs) {
    const before = journal.slice(0, journal.indexOf(run)).filter((entry) => entry.job === 'deploy');
    expect(before.at(-1)?.activity).toBe('checkApproval stands');
  }
  for (const one of approvals) expect(['ops', 'temporal']).toContain(one.actor);
  expect(['success', 'failed', 'canceled']).toContain(status.state);
}

async function perform(id: PipelineId, slug: string, { act }: Deed): Promise<void> {
  switch (act) {
    case 'pause':
      await delay(150);
      return;
    case 'cancel':
      await world.handle(id).cancel().catch(closed);
      return;
    case 'revoke':
      revoked.add(slug);
      return;
    case 'restore':
      revoked.delete(slug);
      return;
    case 'signal':
      await world.handle(id).signal('approve', { job: 'deploy' }).catch(closed);
      return;
    default: {
      const actor = act === 'stranger' ? 'dora' : 'ops';
      const action = act === 'approve' || act === 'stranger' ? 'play' : act;
      const decision: Decision = { action, job: 'deploy', actor, role: 'developer' };
      const answer = await decide(world.client, id, decision).catch(closed);
      if (act === 'stranger' && answer) expect(answer.accepted).toBe(false);
      if (answer === undefined && act !== 'stranger')
        await signalRerun(world.client, slug, { pipeline: id, decision });
    }
  }
}

/** It has closed meanwhile, which is one of the possible orders. */
function closed(error: unknown): undefined {
  if (error instanceof Error && /WorkflowNotFound|already completed/.test(`${error.name} ${error.message}`))
    return undefined;
  throw error;
}
