import { afterEach, beforeEach, expect, test } from 'vitest';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';

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
