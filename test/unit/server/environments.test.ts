import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import type { Plan } from '../../../src/plan/model/plan.ts';
import { pipelineRecordName, summaryOf } from '../../../src/plan/model/records.ts';
import { planOf, triggerOf } from '../../support/plans.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects: [{ name: 'table' }] });
  server.workflows.environments = [
    { name: 'review/a b', state: 'available', pipeline: 'table/1', job: 'deploy', onStop: 'stop', since: 1 },
    { name: 'old', state: 'stopped', pipeline: 'table/1', job: 'deploy', since: 1 },
  ];
});
afterEach(() => server.close());

const stop = (name: string, token: string = TOKENS.developer) =>
  server.app.inject({
    method: 'POST',
    url: '/api/v1/projects/table/environments/stop',
    headers: bearer(token),
    payload: { name },
  });

test("the project is asked to stop an environment, with the user's name", async () => {
  const answer = await stop('review/a b');
  expect([answer.statusCode, answer.json()]).toEqual([202, { accepted: true, was: 'available' }]);
  expect(server.workflows.stops).toMatchObject([{ name: 'review/a b' }]);
  expect(server.workflows.stops[0]?.actor).not.toBe('');
});
test('a stopped one is left alone, a missing one is not found', async () => {
  expect((await stop('old')).json()).toEqual({ accepted: true, was: 'stopped' });
  expect((await stop('nothing')).statusCode).toBe(404);
  expect(server.workflows.stops).toEqual([]);
});
test('readers cannot stop one', async () => {
  expect((await stop('review/a b', TOKENS.reader)).statusCode).toBe(403);
});

describe('a project that stops an environment by itself', () => {
  const decision = { action: 'play', actor: 'davit', role: 'operator', confirm: true, stops: 1 } as const;
  const prove = (name: string) =>
    server.app.inject({
      method: 'POST',
      url: '/internal/v1/proofs',
      headers: bearer(TOKENS.control),
      payload: { message: { kind: 'decision', pipeline: 'table/1', decision: { ...decision, job: name } } },
    });
  /** The project was told that each of these jobs stops an environment; the plan says it of `stop` alone. */
  async function told(plan: Plan, attempt = 1): Promise<void> {
    server.workflows.environments = ['stop', 'ship'].map((onStop) => ({
      ...{ name: `review/${onStop}`, state: 'available', pipeline: 'table/1', job: 'deploy', since: 1 },
      ...{ onStop, stopAt: 2 },
    }));
    const digest = await server.stores.blobs.putBytes(Buffer.from(JSON.stringify(plan)));
    const jobs = [
      job('deploy', { attempt, phase: 'ended' }),
      job('stop', { phase: 'manual' }),
      job('ship', { phase: 'gate' }),
    ];
    server.workflows.open.set('table/1', pipeline('table/1', { plan: digest, jobs }));
  }
  const deploy = { key: 'deploy', environment: { name: 'review', action: 'start', onStop: 'stop' } } as const;
  const written = planOf([deploy, { key: 'stop' }, { key: 'ship' }]);

  test('gets a proof for the job that the plan names', async () => {
    await told(written);
    expect((await prove('stop')).json()).toMatchObject({ proof: { turn: 0 } });
  });
  test('gets none for another job, whatever it was told by a signal', async () => {
    await told(written);
    expect((await prove('ship')).json()).toMatchObject({ error: { code: 'decision/unproven' } });
  });
  test('gets none before anything was deployed', async () => {
    await told(written, 0);
    expect((await prove('stop')).json()).toMatchObject({ error: { code: 'decision/unproven' } });
  });
  test('gets one for a pipeline that has ended, by the plan in its record', async () => {
    await told(written);
    const { plan, ...status } = server.workflows.open.get('table/1') ?? pipeline('table/1');
    server.workflows.open.clear();
    const trigger = triggerOf('table');
    const record = await server.stores.blobs.putBytes(
      Buffer.from(JSON.stringify({ version: 1, status, trigger, plan })),
    );
    await server.stores.records.put(pipelineRecordName('table/1'), { record, summary: summaryOf(status) });
    expect((await prove('stop')).json()).toMatchObject({ proof: { turn: 0 } });
  });
});
