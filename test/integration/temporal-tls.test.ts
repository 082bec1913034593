/**
 * The Temporal server of an installation with the TLS settings of docker-compose.yml, and certificates as
 * compose/certificates.sh makes them: who has none is refused. With keys for payloads, nothing that davit gives to
 * Temporal is readable in its database.
 */
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../src/config.ts';
import { createAuthority, issueCertificate } from '../../src/local/authority/authority.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { pipelineStatus, signalTrigger } from '../../src/temporal/calls.ts';
import { connectTemporal } from '../../src/temporal/client.ts';
import { temporalSecurity } from '../../src/temporal/security.ts';
import { run } from '../../workers/control.ts';
import { makeTemporal, type TemporalOf } from '../faults/temporal.ts';
import { Fakes } from '../support/fakes.ts';
import { planOf, triggerOf } from '../support/plans.ts';
import { type KeyGateway, startKeyGateway } from '../support/key-gateway.ts';
import { freePort } from '../support/port.ts';
import { until } from '../support/world.ts';

const START_MS = 300_000;
const CANARY = 'canary-0123456789abcdef';
const namespace = 'davit';
let home: string;
let port: number;
let temporal: TemporalOf;

const settingsWith = (env: Record<string, string>): Settings =>
  readSettings({
    PATH: process.env.PATH,
    DAVIT_HOME: home,
    DAVIT_CACHE: readSettings().cache,
    TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    ...env,
  });
const authority = (): string => join(home, 'temporal', 'ca.crt');
const authorityOnly = (): Record<string, string> => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority() });
/** The certificate that the server itself shows. */
const own = (name: string): Promise<string> => readFile(join(home, 'temporal', name), 'utf8');
const certified = (name = 'client'): Record<string, string> => ({
  ...authorityOnly(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: join(home, `${name}s`, `${name}.crt`),
  TEMPORAL_TLS_CLIENT_KEY_PATH: join(home, `${name}s`, `${name}.key`),
});
const connect = async (env: Record<string, string>, deadlineMs: number) =>
  connectTemporal({
    address: env.TEMPORAL_ADDRESS ?? `127.0.0.1:${port}`,
    namespace,
    security: await temporalSecurity(settingsWith(env)),
    deadlineMs,
  });

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-temporal-tls-'));
  // PostgreSQL runs as another user, who has to get to its own folder.
  await chmod(tmpdir(), (await stat(tmpdir())).mode | 0o011);
  port = await freePort();
  const ca = join(home, 'ca');
  await createAuthority(ca, 'davit');
  const issue = { days: 30, hosts: ['temporal'] };
  await issueCertificate(ca, { name: 'temporal', kind: 'temporal', out: join(home, 'temporal'), ...issue });
  await issueCertificate(ca, {
    name: 'client',
    kind: 'worker',
    out: join(home, 'clients'),
    days: 30,
    hosts: [],
  });
  await copyFile(join(ca, 'ca.crt'), authority());
  const foreign = join(home, 'foreign-ca');
  await createAuthority(foreign, 'somebody else');
  await issueCertificate(foreign, {
    name: 'foreigner',
    kind: 'worker',
    out: join(home, 'foreigners'),
    days: 30,
    hosts: [],
  });
  await mkdir(join(home, 'log'));
  temporal = await makeTemporal('postgres', {
    home,
    port,
    pollExpiry: '20s',
    log: (name) => join(home, 'log', name),
    environment: ({ environment }) =>
      Object.fromEntries(
        Object.entries(environment)
          .filter(([name]) => name.startsWith('TEMPORAL_TLS_'))
          .map(([name, value]) => [name, value.replace('/certificates/temporal', join(home, 'temporal'))]),
      ),
    ready: async () => {
      const { connection } = await connect(certified(), 2_000);
      await connection.close();
      return true;
    },
  });
  await temporal.temporal.start();
}, START_MS);
afterAll(async () => {
  await temporal?.temporal.end('SIGKILL');
  await temporal?.database?.end('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

test.each([
  ['without TLS', () => ({})],
  ['without a certificate', authorityOnly],
  ['with a certificate of another authority', () => certified('foreigner')],
])('a client %s is refused, and so is a worker', async (_what, env: () => Record<string, string>) => {
  await expect(connect(env(), 2_000)).rejects.toMatchObject({ code: 'temporal/unreachable' });
  const { connection } = await temporalSecurity(settingsWith(env()));
  await expect(NativeConnection.connect({ address: `127.0.0.1:${port}`, ...connection })).rejects.toThrow();
});

test('a certificate without its key is a mistake', async () => {
  const { TEMPORAL_TLS_CLIENT_KEY_PATH: _, ...half } = certified();
  await expect(temporalSecurity(settingsWith(half))).rejects.toMatchObject({ code: 'tls/file' });
});

/** One pipeline, through the control worker and a worker of another queue; its title is what is looked for. */
async function pipeline(
  project: string,
  title: string,
  env: Record<string, string>,
): Promise<PipelineStatus> {
  const settings = settingsWith(env);
  const { client, connection } = await connect(env, 30_000);
  const { connection: secured, converter } = await temporalSecurity(settings);
  const native = await NativeConnection.connect({ address: settings.temporalAddress, ...secured });
  const fakes = new Fakes();
  fakes.projects.set(project, { plan: planOf([{ key: 'a' }]), limits: {}, behaviours: {} });
  const activities = fakes.activities();
  const other = await Worker.create({
    connection: native,
    namespace,
    taskQueue: 'amd64',
    activities: { ...activities },
    ...converter,
  });
  const stop = new AbortController();
  const running = Promise.all([other.run(), run({ settings, activities, signal: stop.signal })]);
  try {
    await signalTrigger(client, triggerOf(project, { title }));
    const id = `${project}/1` as const;
    const handle = client.workflow.getHandle(`pipeline/${id}`);
    await until('the pipeline exists', async () => (await handle.describe().catch(() => undefined)) && true);
    expect(await handle.result()).toBe('success');
    return await pipelineStatus(client, id);
  } finally {
    other.shutdown();
    stop.abort();
    await running;
    await native.close();
    await connection.close();
  }
}

test('a pipeline runs over TLS; without keys its payloads are readable, with keys they are not', async () => {
  const holds = temporal.holds ?? expect.fail('PostgreSQL');
  const plain = await pipeline('plain', `plain ${CANARY}`, certified());
  expect(plain).toMatchObject({ state: 'success', title: `plain ${CANARY}` });
  expect(await holds(`plain ${CANARY}`)).toBe(true);

  const file = join(home, 'payload-keys');
  await writeFile(file, `${randomBytes(32).toString('hex')}\n`);
  const sealed = await pipeline('sealed', `sealed ${CANARY}`, {
    ...certified(),
    DAVIT_PAYLOAD_KEY_FILE: file,
  });
  expect(sealed).toMatchObject({ state: 'success', title: `sealed ${CANARY}` });
  expect(await holds(`sealed ${CANARY}`)).toBe(false);
});

describe('a Temporal with API keys', () => {
  let gateway: KeyGateway;
  beforeAll(async () => {
    const { TEMPORAL_TLS_CLIENT_CERT_PATH: cert = '', TEMPORAL_TLS_CLIENT_KEY_PATH: key = '' } = {
      ...authorityOnly(),
      ...certified(),
    };
    const [ca, clientCert, clientKey] = await Promise.all(
      [authority(), cert, key].map((file) => readFile(file)),
    );
    gateway = await startKeyGateway({
      apiKey: 'right',
      certificate: { cert: await own('temporal.crt'), key: await own('temporal.key') },
      upstream: { url: `https://127.0.0.1:${port}`, tls: { ca, cert: clientCert, key: clientKey } },
    });
  });
  afterAll(() => gateway?.close());

  const withKey = async (apiKey: string): Promise<Record<string, string>> => {
    const file = join(home, `api-key-${apiKey}`);
    await writeFile(file, `${apiKey}\n`, { mode: 0o600 });
    const address = `127.0.0.1:${gateway.port}`;
    return { ...authorityOnly(), TEMPORAL_ADDRESS: address, TEMPORAL_API_KEY_FILE: file };
  };

  test('runs a pipeline of clients and workers that have one', async () => {
    expect(await pipeline('keyed', 'keyed', await withKey('right'))).toMatchObject({ state: 'success' });
    expect(gateway.refused()).toBe(0);
  });

  test('refuses a client with a wrong one, and davit says so', async () => {
    await expect(connect(await withKey('wrong'), 2_000)).rejects.toMatchObject({
      code: 'temporal/unreachable',
    });
    expect(gateway.refused()).toBeGreaterThan(0);
  });
});
