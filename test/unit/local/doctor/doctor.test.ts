import { describe, expect, test } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import { finding, ok } from '../../../../src/local/doctor/check.ts';
import { egressFinding } from '../../../../src/local/doctor/egress.ts';
import {
  checkRegistryFromEngine,
  limitsFinding,
  modeFindings,
  versionFinding,
} from '../../../../src/local/doctor/engine.ts';
import { diskFinding } from '../../../../src/local/doctor/machine.ts';
import {
  controlFinding,
  skewFinding,
  targetFindings,
  workerFindings,
} from '../../../../src/local/doctor/services.ts';
import { stuckFindings, waitFindings } from '../../../../src/local/doctor/workflows.ts';
import type { WorkerReport } from '../../../../src/plan/model/queues.ts';

const engine = (version: string, kind: 'docker' | 'podman' = 'docker') =>
  versionFinding({ kind, version, address: 'unix:///x', cpus: 2, authorizationPlugins: false });
const worker = (more: Partial<WorkerReport>): WorkerReport => ({
  id: 'w',
  hostId: 'h',
  hostName: 'board',
  arches: [],
  emulated: [],
  tags: [],
  targets: [],
  deviceTags: [],
  slots: 1,
  version: '0',
  seenAt: 0,
  ...more,
});

describe('engine versions', () => {
  test.each([
    ['28.2.2', 'ok'],
    ['20.10.24+dfsg1', 'warn'],
    ['19.03.1', 'fail'],
    ['dev', 'fail'],
  ])('%s is %s', (version, verdict) => {
    const found = engine(version);
    expect(found.verdict).toBe(verdict);
    expect(found.remedy === undefined).toBe(verdict === 'ok');
  });
});

test('Podman is called by its name and has versions of its own', () => {
  expect(engine('4.3.1', 'podman')).toMatchObject({
    verdict: 'ok',
    found: expect.stringMatching(/^Podman 4\.3\.1 at/),
  });
  expect(engine('3.4.4', 'podman')).toMatchObject({
    verdict: 'fail',
    remedy: expect.stringContaining('Podman 4'),
  });
});

const docker = { kind: 'docker', rootless: false, liveRestore: false, swarm: 'inactive' } as const;
test('live-restore and a swarm cannot be combined', () => {
  expect(modeFindings({ ...docker, liveRestore: true, swarm: 'manager' })).toMatchObject([
    { verdict: 'fail' },
  ]);
  expect(modeFindings({ ...docker, liveRestore: true })).toEqual([]);
  expect(modeFindings({ ...docker, swarm: 'worker' })).toMatchObject([{ verdict: 'warn' }]);
});
test('an engine that cannot be a swarm says which jobs fail', () => {
  expect(modeFindings({ ...docker, kind: 'podman' })).toMatchObject([
    { verdict: 'warn', found: expect.stringMatching(/Podman has no swarm.*deploy/) },
  ]);
  expect(modeFindings({ ...docker, rootless: true })).toMatchObject([
    { verdict: 'warn', found: expect.stringContaining('rootless') },
  ]);
});

test('a disk is judged by its free space', () => {
  expect(diskFinding('/x', 100 * 1024 ** 3).verdict).toBe('ok');
  expect(diskFinding('/x', 1024 ** 3).verdict).toBe('warn');
  expect(diskFinding('/x', 1024).verdict).toBe('fail');
});

test('clocks that differ by a minute are reported', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(skewFinding('u', { date: new Date(now).toUTCString(), now })).toBeUndefined();
  expect(skewFinding('u', { date: null, now })).toBeUndefined();
  expect(skewFinding('u', { date: new Date(now - 90_000).toUTCString(), now })?.found).toContain('90 s');
});

test('no control worker that asks for work is a failure, and so is one that was killed minutes ago', () => {
  expect(controlFinding([], 1_000_000)).toMatchObject({ verdict: 'fail' });
  expect(controlFinding([1_000_000 - 240_000], 1_000_000)).toMatchObject({ verdict: 'fail' });
  expect(controlFinding([1_000_000 - 240_000, 1_000_000 - 59_000], 1_000_000)).toMatchObject({
    verdict: 'ok',
  });
});

test('a stuck workflow is reported with its reason, and with the reset if it cannot be replayed', () => {
  expect(stuckFindings([], 2)).toMatchObject([{ verdict: 'ok', found: '2 open, none is stuck' }]);
  const why = '[TMPRL1100] Nondeterminism error';
  const found = stuckFindings(
    [
      { workflowId: 'project/x', failed: 9, why },
      { workflowId: 'pipeline/x/1', failed: 4 },
    ],
    2,
  );
  expect(found).toMatchObject([
    { verdict: 'fail', name: 'workflow project/x', remedy: expect.stringContaining('cannot be replayed') },
    { verdict: 'fail', name: 'workflow pipeline/x/1', remedy: expect.stringContaining('davit.log') },
  ]);
});

const ui = { address: 'http://ui', namespace: 'davit' };
test('a stuck workflow has a link, and pipelines that wait have the list of them', () => {
  expect(stuckFindings([{ workflowId: 'pipeline/x/1', failed: 4 }], 1, ui)[0]?.found).toContain(
    ' http://ui/namespaces/davit/workflows/pipeline%2Fx%2F1',
  );
  const found = waitFindings({ person: 1, worker: 2, still: 3 }, ui);
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
    ["Temporal's UI", 'ok'],
    ['waits for a person', 'ok'],
    ['waits for a worker', 'warn'],
    ['stands still', 'ok'],
  ]);
  expect(found[1]?.found).toMatch(/^1 pipeline: http:\/\/ui\/namespaces\/davit\/workflows\?query=.*person/);
  expect(waitFindings({ person: 0, worker: 0, still: 0 }, undefined)).toMatchObject([
    { found: expect.stringContaining('temporal_ui') },
    { found: '0 pipelines' },
    { verdict: 'ok' },
    {},
  ]);
});

test('a target without a worker is named with the command that adds one', () => {
  const found = targetFindings([worker({ targets: ['prod'] })], ['prod', 'staging']);
  expect(found).toMatchObject([
    { verdict: 'ok' },
    { verdict: 'warn', remedy: 'Start one with: davit worker --deploy staging' },
  ]);
});

test('each architecture without a worker is named with the command that adds one', () => {
  const found = workerFindings([worker({ arches: ['amd64', 'arm64'], emulated: ['arm64'] })]);
  expect(found.map((one) => one.verdict)).toEqual(['warn', 'ok', 'ok']);
  expect(found[0]?.remedy).toContain('--arch arm32');
  expect(found[1]?.found).toBe('board (emulated)');
  expect(workerFindings([])).toMatchObject([{ verdict: 'fail' }]);
});

test('a check that throws is a finding with the remedy of its error', async () => {
  const found = await finding('x', () => Promise.reject(new DavitError('engine/unreachable', 'Gone.')));
  expect(found).toMatchObject([{ verdict: 'fail', found: 'Gone.', code: 'engine/unreachable' }]);
  expect(found[0]?.remedy).toBeTruthy();
  expect(await finding('x', async () => ok('x', 'fine'))).toHaveLength(1);
});

describe('limits of jobs', () => {
  const machine = { cpus: 16, memoryBytes: 32 * 1024 ** 3 };
  test('what is not limited gets an equal share as a suggestion', () => {
    const { verdict, found } = limitsFinding(machine, { pids: 4_096, slots: 8 });
    expect(verdict).toBe('ok');
    expect(found).toContain('4096 processes');
    expect(found).toContain(`memory: ${3_276 * 1024 ** 2}, cpus: 2`);
  });
  test('what is limited is said', () => {
    const { found } = limitsFinding(machine, { pids: 100, slots: 8, memory: 1024 ** 3, cpus: 1.5 });
    expect(found).toBe('each container: 100 processes, 1024 MiB of memory, 1.5 CPUs');
  });
});

test.each([
  ['unfiltered' as const, 'warn', 'egress: unfiltered'],
  [{ problem: 'There is no iptables.' }, 'warn', 'There is no iptables'],
  [{ program: 'nft' as const, set: true }, 'ok', '(nft)'],
  [{ program: 'iptables' as const, set: false }, 'ok', 'when it starts'],
])('egress of jobs: %j is %s', (state, verdict, text) => {
  const found = egressFinding(state);
  expect(found.verdict).toBe(verdict);
  expect(found.found).toContain(text);
});

test('an engine that does not trust a certificate on the way to an image: the remedy names its file', async () => {
  const engine = {
    pullImage: async (): Promise<never> => {
      throw new DavitError(
        'engine/failed',
        'Get "https://ci.lan/registry/token": x509: certificate signed by unknown authority',
      );
    },
  };
  const [found] = await checkRegistryFromEngine(
    engine,
    { kind: 'docker', hostName: 'board' },
    'images.lan:5000',
  );
  expect(found).toMatchObject({ verdict: 'fail', name: 'registry, from the engine' });
  expect(found?.remedy).toContain('/etc/docker/certs.d/images.lan:5000/ca.crt');
});
