/** Server, control worker and deploy worker together: a pipeline of one deployment, on a swarm of its own. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { swarmTarget } from '../../src/adapters/swarm/index.ts';
import { readSettings } from '../../src/config.ts';
import { installationSchema } from '../../src/installation.ts';
import { FINAL_STATES, type PipelineStatus } from '../../src/plan/model/protocol.ts';
import { startServer, type RunningServer } from '../../src/server/start.ts';
import { run as runControl } from '../../workers/control.ts';
import { run as runDeploy } from '../../workers/deploy.ts';
import { eventually } from '../support/davit.ts';
import { startSwarmEngine, type SwarmEngine } from '../support/engine.ts';
import { startSwarmRegistry, type SwarmRegistry } from '../support/swarm-registry.ts';
import { startTemporal, type TestTemporal } from '../support/temporal.ts';

const MINUTES = 180_000;
const CLI = 'cli-token-0123456789abcdef';
const WORKER = 'worker-token-0123456789abcdef';

let home: string;
let swarm: SwarmEngine;
let registry: SwarmRegistry;
let temporal: TestTemporal;
let server: RunningServer;
let workers: Promise<unknown>;
const stop = new AbortController();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-test-deploy-worker-'));
  await writeFile(join(home, 'worker-token'), WORKER);
  [swarm, temporal] = await Promise.all([startSwarmEngine(), startTemporal()]);
  registry = await startSwarmRegistry(swarm);
  server = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse({ targets: [{ name: 'prod', docker: swarm.address }] }),
    installationId: '6f1c2f0e-0000-4000-8000-000000000002',
    cliToken: CLI,
    workerToken: WORKER,
    registry: '127.0.0.1:5000',
    temporal: { address: temporal.address, namespace: temporal.namespace },
    dataDir: join(home, 'data'),
  });
  const settings = readSettings({
    HOME: home,
    DAVIT_HOME: home,
    DAVIT_CACHE: join(home, 'cache'),
    DAVIT_SERVER: server.url,
    DAVIT_WORKER_TOKEN_FILE: join(home, 'worker-token'),
    TEMPORAL_ADDRESS: temporal.address,
  });
  const ready = Promise.withResolvers<void>();
  workers = Promise.all([
    runControl({ settings, signal: stop.signal }),
    runDeploy({ settings, target: 'prod', signal: stop.signal, onReady: ready.resolve }),
  ]);
  await Promise.race([ready.promise, workers]);
}, MINUTES);
afterAll(async () => {
  stop.abort();
  await workers;
  await server?.close();
  await temporal?.close();
  await registry?.stop();
  await swarm?.stop();
  await rm(home, { recursive: true, force: true });
}, MINUTES);

async function api<T>(
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<T> {
  const headers = { authorization: `Bearer ${CLI}`, ...init.headers };
  const answer = await fetch(`${server.url}/api/v1${path}`, { ...init, headers });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return JSON.parse(await answer.text());
}

/** Runs a pipeline of one deployment; returns its final status. */
async function deploy(command: string, sequence: number): Promise<PipelineStatus> {
  const tar = pack();
  const swarmSpec = {
    service: 'table',
    image: `${registry.repository}@${registry.digest}`,
    command: ['/bin/sh', '-c', command],
    endpoint_mode: 'dnsrr',
    converge_timeout: '30s',
  };
  const job = {
    stage: 'deploy',
    tags: ['prod'],
    environment: { name: 'prod' },
    deploy: { swarm: swarmSpec },
  };
  tar.entry({ name: '.davit.yml' }, JSON.stringify({ stages: ['deploy'], ship: job }));
  tar.finalize();
  const { digest } = await api<{ digest: string }>('/blobs', {
    method: 'POST',
    body: new Uint8Array(await buffer(tar)),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const request = {
    key: `request:${randomUUID()}`,
    source: 'cli',
    ref: 'main',
    refKind: 'branch',
    sha: String(sequence).repeat(40),
    before: '0'.repeat(40),
    title: `Deployment ${sequence}`,
    sourceBlob: digest,
  };
  await api('/projects/table/pipelines', {
    method: 'POST',
    body: JSON.stringify(request),
    headers: { 'content-type': 'application/json' },
  });
  return eventually(`pipeline ${sequence} ends`, 90_000, async () => {
    const status = await api<PipelineStatus>(`/pipelines/table/${sequence}`).catch(() => undefined);
    return status && FINAL_STATES.includes(status.state) ? status : undefined;
  });
}

test(
  'the server lists the target; a deployment converges; a failed one is rolled back and reported',
  async () => {
    const fleet = await eventually('the worker reports', 10_000, async () => {
      const all = await api<{ targets: string[] }[]>('/workers');
      return all.find((worker) => worker.targets.includes('prod'));
    });
    expect(fleet).toMatchObject({ targets: ['prod'], arches: [] });

    const good = await deploy('trap exit TERM; while :; do sleep 0.1; done', 1);
    expect(good.jobs[0]?.result, JSON.stringify(good)).toMatchObject({
      outcome: 'succeeded',
      deployed: { state: 'converged', target: 'prod', service: 'table' },
    });
    expect(good.state).toBe('success');

    const bad = await deploy('exit 3', 2);
    expect(bad.state).toBe('failed');
    expect(bad.jobs[0]?.result).toMatchObject({
      outcome: 'failed',
      kind: 'rollout',
      deployed: { state: 'rolled_back', pipeline: 'table/1' },
      message: expect.stringMatching(
        /did not converge.* Rolled back: table at prod has \S+@sha256:[0-9a-f]{64} of pipeline table\/1 again\.$/,
      ),
    });
    const target = await swarmTarget({ name: 'prod', address: swarm.address });
    const now = await target.read('table');
    expect(now).toMatchObject({ running: 1, desired: 1, image: `${registry.repository}@${registry.digest}` });
    expect(now.snapshot).toContain('while :');
    const log = await fetch(`${server.url}/api/v1/pipelines/table/2/log?job=ship&attempt=1&offset=0`, {
      headers: { authorization: `Bearer ${CLI}` },
    });
    expect(await log.text()).toContain('did not converge');
  },
  MINUTES,
);
