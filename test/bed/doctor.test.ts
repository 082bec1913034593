/** `davit doctor --fleet` finds each of the faults of a fleet, names the machine, and says what to do. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/local/doctor/check.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { eventually } from '../support/davit.ts';
import { startFleet, type Fleet } from './support/fleet.ts';
import { PLANTS, SMALL_DISKS } from './support/plants.ts';

const WAIT_MS = 240_000;

await describeWithParts('davit doctor --fleet', [sshServerPart], suite, { root: true });

function suite(): void {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      machines: { head: 'amd64', small: 'amd64' },
      more: ['twin'],
      swarm: true,
      disks: SMALL_DISKS,
    });
  });
  afterAll(() => fleet?.stop());

  const examine = async (): Promise<Finding[]> => {
    const { stdout, stderr } = await fleet.davit.cli(['doctor', '--fleet', '--json']);
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as { findings: Finding[] }).findings;
  };
  const failed = (findings: readonly Finding[]): Finding[] =>
    findings.filter(({ verdict }) => verdict === 'fail');
  const untilWell = (): Promise<true> =>
    eventually('a fleet without a fault', WAIT_MS, async () =>
      failed(await examine()).length === 0 ? (true as const) : undefined,
    );

  test('finds nothing wrong with a fleet that is well', async () => {
    await untilWell();
  });

  test.each(PLANTS)('$fault: $what', async ({ fault, says, plant }) => {
    const takeBack = await plant(fleet);
    try {
      const found = await eventually(`the finding ${fault}`, WAIT_MS, async () =>
        (await examine()).find((one) => one.fault === fault && one.verdict !== 'ok'),
      );
      expect(found.found).toMatch(says);
      expect(found.remedy).toMatch(/\w{3}/);
    } finally {
      await takeBack();
    }
  });
}
