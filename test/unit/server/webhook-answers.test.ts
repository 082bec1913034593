/** What a forge gets when something is wrong: a Temporal that stands still, a webhook with the wrong content type. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/server/deps.ts';
import { linkTemporal } from '../../../src/server/temporal/temporal.ts';
import { deliver, push, sign, type Delivery, type Forge } from '../../support/deliveries.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const SECRET = 'a-secret-of-the-table';
let server: TestServer;
beforeEach(async () => {
  server = await testServer({
    projects: FORGES.map((forge) => ({ name: `table-${forge}`, forge, repository: 'group/table' })),
    secrets: Object.fromEntries(FORGES.map((forge) => [`table-${forge}`, SECRET])),
    limits: { webhookAnswerMs: 100 },
  });
});
afterEach(() => server.close());

const send = ({ headers, body }: Delivery, url: string) =>
  server.app.inject({ method: 'POST', url, headers, payload: body });
const pushed = (forge: Forge): Delivery => {
  const { event, payload } = push(forge);
  return deliver(forge, event, { payload, secret: SECRET });
};

test('a Temporal that stands still: 503 before the forge gives up, which is after 5 s at Gitea', async () => {
  // Accepts connections and never answers, as a stopped process does.
  const still = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(still, 'listening');
  const { port } = still.address() as AddressInfo;
  const link = linkTemporal({ address: `127.0.0.1:${port}`, namespace: 'davit' });
  server.workflows.onTrigger = (trigger) =>
    link.workflows.trigger(trigger, server.deps.limits.webhookAnswerMs);
  const answer = await send(pushed('gitea'), '/webhooks/gitea');
  expect([answer.statusCode, answer.json().error.code]).toEqual([503, 'temporal/unreachable']);
  still.close();
  await link.close();
  // And half a second for the audit trail.
  expect(DEFAULT_LIMITS.webhookAnswerMs).toBeLessThanOrEqual(3_500);
});

test.each(FORGES)('%s: a form is refused with the setting that is wrong', async (forge) => {
  const { headers, body } = pushed(forge);
  const form = `payload=${encodeURIComponent(body)}`;
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  // GitHub signs the form itself, Gitea the text inside; GitLab has no such setting.
  const signed = forge === 'github' ? sign(forge, 'push', { body: form, secret: SECRET }).headers : headers;
  const answer = await send({ headers: { ...signed, ...type }, body: form }, `/webhooks/${forge}`);
  expect(answer.statusCode).toBe(forge === 'gitea' ? 401 : 400);
  expect(answer.json().error.hint).toContain('application/json');
  expect(server.workflows.triggers).toEqual([]);
});
