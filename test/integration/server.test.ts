/**
 * The server with a real Temporal, and with a real control worker if a workflow has to answer. No engine is
 * needed.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../src/config.ts';
import { installationSchema } from '../../src/installation.ts';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import type { KeyLookup, PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../src/plan/model/records.ts';
import { startServer, type RunningServer } from '../../src/server/start.ts';
import { run as runControl } from '../../workers/control.ts';
import { deliver, push, SHA } from '../support/deliveries.ts';
import { tarOf } from '../support/job-stores.ts';
import { bearer } from '../support/server.ts';
import { openEvents } from '../support/sse.ts';
import { startTemporal, type TestTemporal } from '../support/temporal.ts';
import { freePort } from '../support/port.ts';

const SECRET = 'the-secret-of-this-webhook';
const cliToken = randomUUID();
const workerToken = randomUUID();
const soon = { timeout: 30_000, interval: 50 };

/** A server with a Temporal of its own. */
interface World {
  home: string;
  dbFile: string;
  temporal: TestTemporal;
  server: RunningServer;
  close(): Promise<void>;
}
async function world(): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'davit-server-'));
  await writeFile(join(home, 'secret'), `${SECRET}\n`);
  const dbFile = join(home, 'temporal.db');
  const temporal = await startTemporal({ dbFile, port: await freePort() });
  const secret = `file:${join(home, 'secret')}`;
  const project = { name: 'table', forge: 'github', repository: 'group/table', webhook_secret: secret };
  const server = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse({ projects: [project] }),
    installationId: randomUUID(),
    cliToken,
    workerToken,
    registry: '127.0.0.1:1',
    temporal,
    dataDir: join(home, 'data'),
  });
  const made: World = {
    home,
    dbFile,
    temporal,
    server,
    close: async () => {
      await server.close();
      await made.temporal.close();
      await rm(home, { recursive: true, force: true });
    },
  };
  return made;
}

const sha = (n: number): string => (n + 0x1000000).toString(16).padStart(40, 'c');
describe('deliveries', () => {
  let of: World;
  beforeAll(async () => {
    of = await world();
  });
  afterAll(() => of.close());

  const send = async (after: string): Promise<{ status: number; body: unknown }> => {
    const { event, payload } = push('github', { after });
    const { headers, body } = deliver('github', event, { payload, secret: SECRET });
    const answer = await fetch(`${of.server.url}/webhooks/github`, { method: 'POST', headers, body });
    return { status: answer.status, body: await answer.json() };
  };
  async function signalled(): Promise<string[]> {
    const history = await of.temporal.client.workflow.getHandle(projectWorkflowId('table')).fetchHistory();
    return (history.events ?? []).flatMap((event) => {
      const payload = event.workflowExecutionSignaledEventAttributes?.input?.payloads?.[0]?.data;
      if (!payload) return [];
      const trigger: { key: string } = JSON.parse(Buffer.from(payload).toString());
      return [trigger.key];
    });
  }

  test('a thousand at once without a worker: all are accepted, all are in the history', async () => {
    const shas = Array.from({ length: 1_000 }, (_, n) => sha(n));
    const answers = await Promise.all(shas.map(send));
    expect(answers.filter((answer) => answer.status !== 202)).toEqual([]);
    expect(new Set(await signalled())).toEqual(
      new Set(shas.map((one) => `push:refs/heads/main:${SHA.a}:${one}`)),
    );
  });

  test('Temporal down: 503 and nothing stored; up again: accepted, without a restart of the server', async () => {
    const before = await signalled();
    const port = Number(of.temporal.address.split(':')[1]);
    await of.temporal.close();
    const refused = await send(sha(5_000));
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'temporal/unreachable' } } });
    expect(await (await fetch(`${of.server.url}/healthz`)).json()).toMatchObject({
      ok: false,
      temporal: 'down',
    });
    of.temporal = await startTemporal({ dbFile: of.dbFile, port });
    await expect.poll(async () => (await send(sha(5_001))).status, soon).toBe(202);
    const after = await signalled();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(new Set(after.slice(before.length))).toEqual(
      new Set([`push:refs/heads/main:${SHA.a}:${sha(5_001)}`]),
    );
  });
});

describe('pipelines', () => {
  const YAML = `
stages: [test, deploy]
unit: { stage: test, image: busybox, script: [exit 0], when: manual, allow_failure: false }
ship: { stage: deploy, image: busybox, script: [exit 0], when: manual, needs: [], gate: { approvers: [nobody-here] } }
`;
  const auth = bearer(cliToken);
  const json = { ...auth, 'content-type': 'application/json' };
  const get = async <T>(path: string): Promise<T> =>
    (await fetch(`${of.server.url}${path}`, { headers: auth })).json() as Promise<T>;
  const post = async (path: string, body: object): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${of.server.url}${path}`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const stop = new AbortController();
  let control: Promise<void>;
  let of: World;

  beforeAll(async () => {
    of = await world();
    await mkdir(join(of.home, 'keys'));
    await writeFile(join(of.home, 'keys', 'worker-token'), workerToken, { mode: 0o600 });
    const settings: Settings = {
      ...readSettings(),
      home: of.home,
      workerTokenFile: join(of.home, 'keys', 'worker-token'),
      controlTokenFile: join(of.home, 'keys', 'control-token'),
      serverUrl: of.server.url,
      temporalAddress: of.temporal.address,
      temporalNamespace: of.temporal.namespace,
    };
    const ready = Promise.withResolvers<void>();
    control = runControl({ settings, signal: stop.signal, onReady: ready.resolve });
    await Promise.race([ready.promise, control]);
  });
  afterAll(async () => {
    stop.abort();
    await control;
    await of.close();
  });

  const jobOf = async (id: string, key: string) => {
    const status = await get<PipelineStatus>(`/api/v1/pipelines/${id}`);
    return status.jobs?.find((one) => one.key === key);
  };

  test('from a request to its record: started, played, refused, cancelled, and run again', async () => {
    const blob = await fetch(`${of.server.url}/api/v1/blobs`, {
      method: 'POST',
      headers: { ...auth, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(await tarOf({ '.gitlab-ci.yml': YAML })),
    });
    const { digest } = (await blob.json()) as { digest: string };
    const request = {
      key: `request:${randomUUID()}`,
      ref: 'main',
      refKind: 'branch',
      sha: SHA.b,
      before: SHA.zero,
      title: 'by hand',
      source: 'cli',
      sourceBlob: digest,
    };
    expect((await post('/api/v1/projects/chair/pipelines', request)).status).toBe(202);
    const lookup = (): Promise<KeyLookup> =>
      get(`/api/v1/projects/chair/requests/${encodeURIComponent(request.key)}`);
    await expect.poll(async () => (await lookup()).pipeline, soon).toBe('chair/1');
    await expect.poll(async () => (await jobOf('chair/1', 'unit'))?.phase, soon).toBe('manual');

    const events = await openEvents(`${of.server.url}/api/v1/pipelines/chair/1/events`, auth);
    expect((await events.next())?.data).toMatchObject({ state: 'manual' });
    const decide = (action: string, job: string) =>
      post('/api/v1/pipelines/chair/1/decisions', { action, job });
    expect(await decide('play', 'ship')).toMatchObject({
      status: 403,
      body: { error: { code: 'gate/not-an-approver' } },
    });
    // A refused user is recorded.
    await expect
      .poll(async () => (await jobOf('chair/1', 'ship'))?.decisions, soon)
      .toMatchObject([{ action: 'play', role: 'operator', answer: 'gate/not-an-approver' }]);
    expect(await decide('play', 'unit')).toMatchObject({ status: 200, body: { accepted: true } });
    expect(await decide('play', 'none')).toMatchObject({
      status: 404,
      body: { error: { code: 'job/not-found' } },
    });

    // No worker polls its queue: the API reports that, also to watchers.
    await expect.poll(async () => (await jobOf('chair/1', 'unit'))?.waitingFor, soon).toBe('queue:amd64');
    const seen: string[] = [];
    for (let event = await events.next(); event; event = await events.next()) {
      seen.push(...(event.data as PipelineStatus).waitingFor);
      if (seen.includes('queue:amd64')) break;
    }
    events.close();
    expect((await jobOf('chair/1', 'unit'))?.phase).toBe('dispatched');
    expect((await jobOf('chair/1', 'unit'))?.decisions[0]).toMatchObject({
      action: 'play',
      role: 'operator',
    });

    expect(await post('/api/v1/pipelines/chair/1/cancel', {})).toEqual({
      status: 200,
      body: { accepted: true },
    });
    await expect
      .poll(async () => (await get<PipelineStatus>('/api/v1/pipelines/chair/1')).state, soon)
      .toBe('canceled');
    const by = (await get<PipelineStatus>('/api/v1/pipelines/chair/1')).cancelledBy;
    expect(by).toMatchObject({ role: 'operator', actor: expect.any(String), at: expect.any(Number) });
    await expect
      .poll(async () => (await post('/api/v1/pipelines/chair/1/cancel', {})).status, soon)
      .toBe(409);

    const list = (): Promise<PipelineSummary[]> => get('/api/v1/pipelines?project=chair');
    await expect
      .poll(async () => (await list()).map((one) => [one.id, one.state, one.number > 0]), soon)
      .toEqual([['chair/1', 'canceled', true]]);
    expect(await decide('reject', 'unit')).toMatchObject({
      status: 409,
      body: { error: { code: 'job/not-playable' } },
    });
    expect(await decide('retry', 'unit')).toMatchObject({ status: 200, body: { accepted: true } });
    await expect.poll(async () => (await jobOf('chair/1', 'unit'))?.attempt, soon).toBe(2);
    await expect
      .poll(async () => (await post('/api/v1/pipelines/chair/1/cancel', {})).status, soon)
      .toBe(200);
    await expect
      .poll(async () => (await get<PipelineStatus>('/api/v1/pipelines/chair/1')).state, soon)
      .toBe('canceled');
  });
});
