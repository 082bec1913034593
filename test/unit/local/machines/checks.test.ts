import { expect, test } from 'vitest';
import type { WorkerReport } from '../../../../src/plan/model/queues.ts';
import type { EngineInfo } from '../../../../src/adapters/ports.ts';
import {
  checkFindings,
  engineFindings,
  identityFinding,
  skewFinding,
  spaceFinding,
} from '../../../../src/local/machines/checks.ts';
import type { MachineRecord } from '../../../../src/local/machines/record.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;
const info: EngineInfo = {
  id: 'e',
  address: 'ssh://pi@board',
  kind: 'docker',
  rootless: false,
  version: '29.1.0',
  arch: 'arm64',
  hostName: 'board',
  swarm: 'inactive',
  storageDriver: 'overlay2',
  cpus: 4,
  memoryBytes: GIB,
  liveRestore: false,
  authorizationPlugins: false,
  time: 0,
};
const verdicts = (findings: { verdict: string }[]): string[] => findings.map(({ verdict }) => verdict);

test.each([
  [0, 'ok', 'agrees with the server'],
  [-20_000, 'ok', '20 s behind the server'],
  [31_000, 'warn', '31 s ahead of the server.'],
  [-10 * MINUTE, 'fail', '600 s behind the server: tokens and certificates are not valid there.'],
])('a clock that is off by %i ms: %s', (skew, verdict, found) => {
  expect(skewFinding(skew)).toMatchObject({ verdict, found });
});

test.each([
  [10 * GIB, 'ok'],
  [GIB, 'warn'],
  [GIB / 4, 'fail'],
])('%d bytes of free space: %s', (free, verdict) => {
  expect(spaceFinding('board', free)).toMatchObject({ verdict });
});

test('the architecture is native, emulated where that is wanted, or wrong', () => {
  const of = (arch: 'arm32' | 'arm64' | 'amd64', emulation = false) =>
    verdicts(engineFindings(info, { arches: [arch], emulation }))[1];
  expect([of('arm64'), of('arm32'), of('amd64'), of('amd64', true)]).toEqual(['ok', 'ok', 'fail', 'ok']);
});

test('an engine that davit cannot use fails; one with known escapes is for the operator to judge', () => {
  const of = (version: string) =>
    verdicts(engineFindings({ ...info, version }, { arches: [], emulation: false }));
  expect([of('19.3.0'), of('24.0.0'), of('29.1.0')]).toEqual([['fail'], ['warn'], ['ok']]);
});

test('what a check of the machine could not find out is a failure with its remedy', () => {
  const disk = { freeBytes: 10 * GIB, totalBytes: 20 * GIB };
  const good = { at: 0, clockOffsetMs: 0, disk, registries: [{ host: 'r:5000' }] };
  expect(verdicts(checkFindings(good, info, ['arm64']))).toEqual(['ok', 'ok', 'ok', 'ok']);
  const refused = { code: 'registry/unreachable', message: 'refused', hint: 'open it' };
  const bad = {
    at: 0,
    cannotRun: ['arm32' as const],
    registries: [{ host: 'r', problem: refused }],
    troubles: [refused],
  };
  expect(checkFindings(bad, info, ['arm32'])).toMatchObject([
    { name: 'containers', verdict: 'fail' },
    { name: 'registry', verdict: 'fail', found: 'refused', remedy: 'open it', code: 'registry/unreachable' },
    { name: 'machine', verdict: 'fail', found: 'refused' },
  ]);
});

const worker = (hostId: string, hostName: string): WorkerReport => ({
  id: hostName,
  hostId,
  hostName,
  arches: ['arm64'],
  emulated: [],
  tags: [],
  targets: [],
  deviceTags: [],
  slots: 1,
  version: '',
  seenAt: 0,
});
const record: MachineRecord = {
  name: 'other',
  docker: 'ssh://pi@other',
  arches: ['arm64'],
  emulation: false,
  runs: 'up',
  hostId: 'same',
  hostName: 'board',
  token: { id: 't', protected_only: false, forks: false },
  changedAt: 0,
};

test('two machines with one id are told apart from one machine that is added twice', () => {
  const of = (workers: WorkerReport[], others: MachineRecord[] = [], again = false) =>
    identityFinding({
      ...{
        hostId: 'same',
        info,
        name: 'pi',
        docker: 'ssh://pi@board',
        arches: ['arm64'],
        workers,
        others,
        again,
      },
      ports: { facts: { installation: '12345678-0' } },
    });
  expect(of([]).verdict).toBe('ok');
  expect(of([worker('other', 'copy')]).verdict).toBe('ok');
  expect(of([worker('same', 'copy')])).toMatchObject({
    verdict: 'fail',
    found: 'board has the id of copy, which has a worker.',
    remedy: expect.stringContaining('docker volume rm davit-host-12345678'),
  });
  expect(of([], [record])).toMatchObject({
    verdict: 'fail',
    found: 'board has the id of other (ssh://pi@other).',
  });
  expect(of([worker('same', 'board')]).verdict).toBe('fail');
  expect(of([worker('same', 'board')], [], true).verdict).toBe('ok');
});
