/** What came from forges, what was made of it, and what is kept of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskDeliveries } from '../../../src/adapters/disk/deliveries.ts';
import { deliveriesText } from '../../../src/cli/commands/deliveries.ts';
import { runCli } from '../../../src/cli/program.ts';
import { DavitError } from '../../../src/errors.ts';
import type { DeliveriesPage } from '../../../src/plan/model/delivery.ts';
import { claimName, type ClaimRecord } from '../../../src/plan/model/records.ts';
import { DeliveryNotes } from '../../../src/server/webhooks/delivery-notes.ts';
import { sha256 } from '../../../src/utils/sha256.ts';
import { deliver, merge, push, SHA, type Delivery, type Forge } from '../../support/deliveries.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { testCli } from '../cli/support.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const SECRET = 'a-secret-of-the-table';
let server: TestServer;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-deliveries-'));
  server = await testServer({
    projects: [
      ...FORGES.map((forge) => ({ name: `table-${forge}`, forge, repository: 'group/table' })),
      { name: 'chair', forge: 'gitea', repository: 'group/chair' },
    ],
    secrets: Object.fromEntries(FORGES.map((forge) => [`table-${forge}`, SECRET])),
  });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const send = ({ headers, body }: Delivery, forge: string) =>
  server.app.inject({ method: 'POST', url: `/webhooks/${forge}`, headers, payload: body });
const made = (forge: Forge, { event, payload }: ReturnType<typeof push>, secret = SECRET): Delivery =>
  deliver(forge, event, { payload, secret });
const idOf = ({ headers }: Delivery): string =>
  Object.entries(headers).find(([name]) => /delivery|uuid/.test(name))?.[1] ?? '';
async function page(query = ''): Promise<DeliveriesPage> {
  const url = `/api/v1/deliveries${query}`;
  return (await server.app.inject({ url, headers: bearer(TOKENS.developer) })).json();
}
const claimed = (forge: Forge, key: string, claim: Partial<ClaimRecord>) =>
  server.stores.records.put(claimName(`table-${forge}`, sha256(key)), { claimId: 'c', number: 1, ...claim });

test.each(FORGES)(
  '%s: a push that started, one that was repeated, and those that started nothing',
  async (forge) => {
    const key = `push:refs/heads/main:${SHA.a}:${SHA.b}`;
    const [first, second] = [made(forge, push(forge)), made(forge, push(forge))];
    for (const one of [first, second]) await send(one, forge);
    await claimed(forge, key, { iid: 7, deliveryId: idOf(first) });
    await send(made(forge, push(forge, { after: SHA.zero })), forge);
    await send(made(forge, push(forge, { message: 'x [skip ci]' })), forge);
    await send(made(forge, { event: 'Note Hook', payload: { object_kind: 'note' } }), forge);
    await send(made(forge, merge(forge, { action: forge === 'gitlab' ? 'approved' : 'labeled' })), forge);
    const { deliveries, unsigned } = await page(`?project=table-${forge}`);
    expect(deliveries.toReversed()).toMatchObject([
      {
        project: `table-${forge}`,
        forge,
        event: first.headers[`x-${forge}-event`],
        ref: 'main',
        sha: SHA.b,
        sender: 'ada',
        delivery: idOf(first),
        result: 'started',
        pipeline: `table-${forge}/7`,
      },
      { delivery: idOf(second), result: 'repeated', pipeline: `table-${forge}/7` },
      { result: 'ignored', ref: 'main', sha: SHA.a, reason: 'The ref was deleted.' },
      { result: 'ignored', ref: 'main', sha: SHA.b, reason: expect.stringContaining('[skip ci]') },
      { result: 'ignored', reason: expect.stringContaining('start nothing') },
      { result: 'ignored', reason: expect.stringContaining('no new commits'), sender: 'ada', sha: SHA.b },
    ]);
    expect(unsigned).toEqual([]);
    expect((await page(`?project=table-${forge}&limit=1`)).deliveries.length).toBe(1);
  },
);

test('pushed again under the id of its delivery; undecided, outdated, refused and forgotten ones', async () => {
  const sent = made('gitea', push('gitea'));
  await send(sent, 'gitea');
  const key = `push:refs/heads/main:${SHA.a}:${SHA.b}`;
  const result = async () => (await page()).deliveries[0];
  expect(await result()).toMatchObject({ result: 'unknown' });
  server.workflows.lookups.set(key, { state: 'queued' });
  expect(await result()).toMatchObject({ result: 'waiting' });
  server.workflows.lookups.set(key, { state: 'duplicate' });
  expect(await result()).toMatchObject({ result: 'nothing', reason: expect.stringContaining('newer') });
  server.workflows.lookups.set(key, { state: 'refused', message: 'The store is full.' });
  expect(await result()).toMatchObject({ result: 'refused', reason: 'The store is full.' });
  await claimed('gitea', key, { iid: 1, deliveryId: 'another' });
  expect(await result()).toMatchObject({ result: 'repeated', pipeline: 'table-gitea/1' });
  await claimed('gitea', `${key}#${idOf(sent)}`, { iid: 2, deliveryId: idOf(sent) });
  expect(await result()).toMatchObject({ result: 'started', pipeline: 'table-gitea/2' });
});

test('what was refused after its signature, with the reason', async () => {
  server.workflows.failure = new DavitError('temporal/unreachable', 'Temporal is away.');
  await send(made('github', push('github')), 'github');
  server.workflows.failure = undefined;
  await send(made('github', push('github', { repository: 'group/other' })), 'github');
  await send(deliver('github', 'push', { payload: { ref: 7 }, secret: SECRET }), 'github');
  expect((await page()).deliveries.toReversed()).toMatchObject([
    { result: 'refused', reason: 'Temporal is away.', ref: 'main', sha: SHA.b },
    { result: 'refused', reason: expect.stringContaining('another project') },
    { result: 'refused', reason: 'The payload has no valid field ref.' },
  ]);
});

test('unsigned ones are counted, and nothing of them is kept; the counts outlive a restart', async () => {
  const canary = made('gitea', push('gitea', { ref: 'refs/heads/canary' }), 'a-wrong-secret');
  await send(canary, 'gitea');
  await send(canary, 'gitea/table-gitea');
  await send(canary, 'gitea/chair');
  await send({ ...canary, headers: {} }, 'gitea/no-such-project');
  const { deliveries, unsigned } = await page();
  expect(deliveries).toEqual([]);
  expect(unsigned).toMatchObject([
    { forge: 'gitea', count: 2, lastReason: 'no signature' },
    { forge: 'gitea', project: 'table-gitea', count: 1, lastReason: 'wrong signature' },
    { forge: 'gitea', project: 'chair', count: 1, lastReason: 'no project with a secret' },
  ]);
  expect(JSON.stringify(unsigned)).not.toMatch(/canary|no-such-project/);
  const notes = () => new DeliveryNotes({ ...server.deps });
  const before = notes();
  before.countUnsigned({ forge: 'gitlab', lastAt: 5, lastReason: 'no signature' });
  await before.unsigned();
  await before.close();
  expect(await notes().unsigned()).toEqual([
    { forge: 'gitlab', count: 1, lastAt: 5, lastReason: 'no signature' },
  ]);
});

test('on disk: bounded, newest first, and read again after a restart', async () => {
  const limits = { fileBytes: 4_096, files: 2 };
  const entry = { project: 'table', forge: 'gitea', event: 'push', answer: 'ignored' as const };
  const written = diskDeliveries(folder, limits);
  for (let round = 0; round < 8; round += 1)
    await Promise.all(
      [0, 1, 2, 3, 4].map((n) => {
        const at = round * 5 + n;
        return written.append({ ...entry, at, delivery: `d${at}`, ref: 'x'.repeat(10_000) });
      }),
    );
  await written.close();
  const read = await diskDeliveries(folder, limits).read('table', 1_000);
  expect(read.slice(0, 2).map((one) => one.delivery)).toEqual(['d39', 'd38']);
  expect(read.length).toBeLessThan(40);
  expect(read[0]?.ref?.length).toBe(512);
});

test('the command: a table, JSON, and for developers alone', async () => {
  const url = await server.app.listen({ port: 0, host: '127.0.0.1' });
  const run = async (args: string[], token: string = TOKENS.developer) => {
    const { cli, written } = testCli(folder, folder, { DAVIT_SERVER: url, DAVIT_TOKEN: token });
    return { exit: await runCli(cli, ['deliveries', ...args]), written };
  };
  await send(made('gitea', push('gitea', { after: SHA.zero })), 'gitea');
  await send(made('gitea', push('gitea'), 'a-wrong-secret'), 'gitea');
  const shown = await run(['table-gitea']);
  expect(shown.written.out).toMatch(/gitea push +main +aaaaaaaa +ada .*ignored: The ref was deleted\./);
  expect(shown.written.out).toContain('! 1 deliveries from gitea were not accepted');
  expect(JSON.parse((await run(['--json'])).written.out)).toMatchObject({ deliveries: [{ forge: 'gitea' }] });
  expect((await run([], TOKENS.reader)).exit).toBe(2);
  expect((await run(['nothing'])).written.err).toContain('There is no project nothing');
  expect(deliveriesText({ deliveries: [], unsigned: [] }, false)).toContain('No forge');
});
