/** Each fault of a fleet, planted alone: it is found, with the machine and a remedy, and nothing else is. */
import { describe, expect, test } from 'vitest';
import { FAULTS, type Fault } from '../../../../src/local/doctor/check.ts';
import { DavitError } from '../../../../src/errors.ts';
import { examineFleet } from '../../../../src/local/doctor/fleet.ts';
import { fleetFindings } from '../../../../src/local/doctor/fleet-findings.ts';
import { stateOf, type MachineChecks, type MachineReport } from '../../../../src/plan/model/fleet.ts';
import type { WorkerReport } from '../../../../src/plan/model/queues.ts';
import type { FleetMachine, FleetView, RefusedCall } from '../../../../src/server/api.ts';

const NOW = Date.UTC(2030, 0, 1, 12);
const GIB = 1_024 ** 3;
const SPACE = { freeBytes: 20 * GIB, totalBytes: 30 * GIB };
const CHECKS: MachineChecks = {
  at: NOW - 60_000,
  clockOffsetMs: 200,
  disk: SPACE,
  temp: SPACE,
  registries: [{ host: 'registry.lan' }],
  cannotRun: [],
};
const report = (more: Partial<WorkerReport> = {}): WorkerReport => ({
  id: 'davit/h/arm32/board/1',
  hostId: 'h',
  hostName: 'board-host',
  arches: ['arm32'],
  emulated: [],
  tags: ['arm32'],
  targets: [],
  deviceTags: [],
  slots: 1,
  version: '1.0.0',
  startedAt: NOW - 3_600_000,
  seenAt: NOW - 2_000,
  engine: { id: 'e', address: 'ssh://pi@board', kind: 'docker', version: '28.2.2', arch: 'arm32' },
  checks: CHECKS,
  ...more,
});
const machine = (name: string, more: Partial<WorkerReport> = {}): FleetMachine => {
  const one = report(more);
  return { name, state: stateOf(one), report: one, hasToken: true };
};
const view = (more: Partial<FleetView> = {}): FleetView => ({
  now: NOW,
  server: { version: '1.0.0', temporal: 'up', space: SPACE },
  machines: [machine('board'), machine('other', { id: 'b', hostId: 'i', hostName: 'other-host' })],
  refused: [],
  ...more,
});
/** The fleet with one machine that is not as it should be. */
const withBoard = (more: Partial<WorkerReport>): FleetView =>
  view({ machines: [machine('board', more), machine('other', { hostName: 'other-host' })] });
const withChecks = (more: Partial<MachineChecks>): FleetView => withBoard({ checks: { ...CHECKS, ...more } });
const failed = (code: string, message: string): Pick<MachineReport, 'failed'> => ({
  failed: { code, message, hint: `what to do about ${code}` },
});
const unreachable = {
  code: 'registry/unreachable',
  message: 'dial tcp: no route to host.',
  hint: 'Check the way.',
};
const refused = (more: Partial<RefusedCall>): RefusedCall => ({
  from: '10.0.0.7',
  why: 'unknown',
  times: 3,
  first: NOW - 60_000,
  last: NOW - 5_000,
  ...more,
});
const gone: FleetMachine = {
  name: 'board',
  state: 'gone',
  hasToken: true,
  seen: {
    name: 'board',
    hostName: 'board-host',
    arches: ['arm32'],
    tags: [],
    targets: [],
    version: '1.0.0',
    seenAt: NOW - 600_000,
  },
};

test('a fleet in order has one good finding for each machine, and one for the server', () => {
  const found = fleetFindings(view());
  expect(found.map(({ verdict }) => verdict)).toEqual(['ok', 'ok', 'ok']);
  expect(found.map((one) => one.machine)).toEqual([undefined, 'board', 'other']);
});

/** The view, and what the remedy names. */
const PLANTED: Partial<Record<Fault, [FleetView, RegExp]>> = {
  'registry-unreachable': [
    withChecks({ registries: [{ host: 'registry.lan', problem: unreachable }] }),
    /Check the way/,
  ],
  clock: [withChecks({ clockOffsetMs: -600_000 }), /timedatectl/],
  'wrong-architecture': [
    withBoard(failed('worker/arch', 'board is amd64; it can run arm32 only by emulation.')),
    /worker\/arch/,
  ],
  'emulation-missing': [withChecks({ cannotRun: ['arm64'] }), /binfmt --install arm64/],
  'disk-full': [
    withChecks({ disk: { freeBytes: 100 * 1_024 ** 2, totalBytes: 30 * GIB } }),
    /On board-host: docker system df/,
  ],
  'two-hosts-one-id': [
    withBoard(failed('worker/twin', 'The engine of board has the davit id of other.')),
    /worker\/twin/,
  ],
  'old-engine': [
    withBoard({ engine: { id: 'e', address: 'x', kind: 'docker', version: '19.03.1', arch: 'arm32' } }),
    /Upgrade it to Docker 25/,
  ],
  'wrong-certificate-name': [
    withChecks({
      registries: [
        {
          host: 'registry.lan',
          problem: {
            code: 'registry/unreachable',
            message: 'x509: certificate is valid for registry.home, not registry.lan.',
            hint: 'davit ca issue',
          },
        },
      ],
    }),
    /davit ca issue/,
  ],
  'node-down': [
    withChecks({ nodes: [{ name: 'node-3', state: 'down', availability: 'active' }] }),
    /docker node rm --force node-3/,
  ],
  'mixed-versions': [withBoard({ version: '0.9.0' }), /Upgrade these machines/],
  'temporal-unreachable': [
    view({ server: { version: '1.0.0', temporal: 'down', space: SPACE } }),
    /TEMPORAL_ADDRESS/,
  ],
  'no-log-space': [
    view({
      server: { version: '1.0.0', temporal: 'up', space: { freeBytes: 1_000_000, totalBytes: 30 * GIB } },
    }),
    /limits\.log_age/,
  ],
  'wrong-token': [view({ refused: [refused({})] }), /davit worker token create NAME/],
  'token-expired': [
    view({ refused: [refused({ why: 'expired', name: 'board' })] }),
    /davit worker token create board/,
  ],
  'engine-away': [
    withBoard({ away: { since: NOW - 60_000, code: 'engine/unreachable', message: 'No answer.' } }),
    /Start the machine/,
  ],
  'machine-gone': [
    view({ machines: [gone, machine('other', { hostName: 'other-host' })] }),
    /davit worker remove board/,
  ],
};
const OF_SERVER: Fault[] = ['temporal-unreachable', 'no-log-space', 'wrong-token'];

describe('a planted fault is found alone', () => {
  test.each(Object.entries(PLANTED))('%s', (fault, [planted, remedy]) => {
    const bad = fleetFindings(planted).filter(({ verdict }) => verdict !== 'ok');
    expect(bad).toHaveLength(1);
    expect(bad[0]).toMatchObject({ fault, remedy: expect.stringMatching(remedy) });
    const isOfServer = OF_SERVER.some((one) => one === fault);
    expect(bad[0]?.machine).toBe(isOfServer ? undefined : fault === 'node-down' ? 'node-3' : 'board');
  });

  test('and every fault is planted here, or is that of a server that does not answer', () => {
    expect(FAULTS.filter((fault) => !(fault in PLANTED))).toEqual(['server-unreachable']);
  });
});

test('a server that does not answer, or whose certificate is for another name, is the finding', async () => {
  const failing = (error: DavitError) =>
    examineFleet({ fleet: async () => view(), askForChecks: () => Promise.reject(error) });
  expect(await failing(new DavitError('cli/no-server', 'The server at X does not respond.'))).toMatchObject([
    { name: 'server', verdict: 'fail', fault: 'server-unreachable' },
  ]);
  const name = new DavitError('tls/untrusted', 'It cannot be verified (ERR_TLS_CERT_ALTNAME_INVALID).');
  expect(await failing(name)).toMatchObject([{ fault: 'wrong-certificate-name' }]);
});

test('an old token and a machine that is missing are shown together: the address names it', () => {
  const [, , , token] = fleetFindings(view({ machines: [machine('other'), gone], refused: [refused({})] }));
  expect(token).toMatchObject({
    machine: 'board',
    found: expect.stringMatching(
      /refused a wrong or revoked token of a worker 3 times .* from 10\.0\.0\.7\. .*: board\./,
    ),
  });
});

test('waits for the checks of those that can make them', async () => {
  let now = NOW;
  let asked = 0;
  const source = {
    askForChecks: async () => ({ since: NOW }),
    fleet: async () => {
      asked += 1;
      now += 1_000;
      const checks = { ...CHECKS, at: asked < 3 ? NOW - 1 : NOW + 1 };
      return view({
        now,
        machines: [
          machine('board', { checks, seenAt: now }),
          machine('away', { seenAt: now, away: { since: 1, message: 'x' } }),
          machine('silent', { seenAt: NOW - 30_000 }),
          machine('old', { startedAt: undefined, checks: undefined, engine: undefined, seenAt: now }),
        ],
      });
    },
  };
  expect((await examineFleet(source, { askMs: 1 })).filter(({ name }) => name === 'checks')).toEqual([]);
  expect(asked).toBe(3);
  asked = -1_000;
  const late = await examineFleet(source, { askMs: 1, waitMs: 20 });
  expect(late.filter(({ name }) => name === 'checks')).toMatchObject([{ machine: 'board', verdict: 'warn' }]);
});
