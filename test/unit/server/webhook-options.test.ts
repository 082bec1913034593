import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deliver, push } from '../../support/deliveries.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const SECRET = 'a-secret-of-the-table';
let server: TestServer;
beforeEach(async () => {
  const projects = [{ name: 'table', forge: 'gitlab' as const, repository: 'group/table' }];
  server = await testServer({ projects, secrets: { table: SECRET } });
});
afterEach(() => server.close());

describe('push options, which GitLab sends', () => {
  const withOptions = async (ci: Record<string, unknown>) => {
    const { event, payload } = push('gitlab');
    const delivery = deliver('gitlab', event, {
      payload: { ...payload, push_options: { ci } },
      secret: SECRET,
    });
    return (
      await server.app.inject({
        method: 'POST',
        url: '/webhooks/gitlab/table',
        headers: delivery.headers,
        payload: delivery.body,
      })
    ).json();
  };
  test.each([['skip'], ['no_pipeline']])('ci.%s starts nothing', async (option) => {
    expect(await withOptions({ [option]: true })).toEqual({ ignored: expect.stringMatching(/skip ci/) });
    expect(server.workflows.triggers).toEqual([]);
  });
  test('ci.variable sets variables of the pipeline; anything but NAME=VALUE is ignored', async () => {
    await withOptions({ variable: { 'A=1': 1, 'B=x=y': 2, 'no value': 1, '1A=x': 1 } });
    expect(server.workflows.triggers[0]?.variables).toEqual({ A: '1', B: 'x=y' });
    await withOptions({ variable: { nothing: 1 } });
    expect(server.workflows.triggers[1]?.variables).toBeUndefined();
  });
  test('ci.input sets inputs of the pipeline', async () => {
    await withOptions({ input: { 'stage=test': 1, 'list=["a=b"]': 1, '=x': 1, nothing: 1 } });
    expect(server.workflows.triggers[0]?.inputs).toEqual({ stage: 'test', list: '["a=b"]' });
  });
});
