import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { attemptLabels, attemptName, LABELS } from '../../../activities/runtime/container-names.ts';
import { HELPER_IMAGE } from '../../support/engine.ts';
import { countFile, expectThat, expectWhole, note, type Row } from './row.ts';
import type { World } from '../world.ts';

const ORPHANS = 50;
const LINES = 40;
/**
 * Leftovers of a crash are removed before new work is taken; a running job, and objects of another
 * installation or a third party, stay.
 */
export const orphans: Row = {
  row: 35,
  fault: `${ORPHANS} orphans after a crash`,
  moment: 'start-up',
  lane: 'arch',
  async run(world) {
    const { client, processes, engine, history, installation } = world;
    const live = await client.start(
      world.project(35),
      countFile(LINES, Math.max(5, world.profile.cleanupAgeMs / 1_000 + 3)),
    );
    await client.untilLogged(live, 'count', 'line-2\n');
    const run = randomUUID();
    await make(world, { count: ORPHANS / 2, installation, run });
    await processes.arch.end('SIGKILL');
    const others = await make(world, { count: 2, installation: randomUUID(), run });
    const name = `stranger-${run.slice(0, 8)}`;
    await engine.docker('volume', 'create', '--label', 'davit.kind=volume', name);
    others.push(name);
    // Too old to belong to a job that is about to start.
    await delay(Number(world.profile.cleanupAgeMs) + 200);
    note(world, 35, `${ORPHANS} orphans, and the worker starts again`);
    await processes.arch.start();
    const back = history.now();
    await client.until('the orphans are gone', world.profile.waitMs, async () => {
      const left = await engine.docker(
        'ps',
        '-aq',
        '--filter',
        `label=${LABELS.run}=${run}`,
        '--filter',
        `label=${LABELS.installation}=${installation}`,
      );
      const volumes = await engine.docker(
        'volume',
        'ls',
        '-q',
        '--filter',
        `label=${LABELS.run}=${run}`,
        '--filter',
        `label=${LABELS.installation}=${installation}`,
      );
      return left === '' && volumes === '' ? true : undefined;
    });
    const recovery = history.now() - back;
    expectThat(
      recovery < Number(world.profile.cleanupAgeMs) + 10_000,
      `swept only after ${Math.round(recovery)} ms`,
    );
    expectWhole(world, await client.verdict(live), LINES);
    const all = `${await engine.docker('ps', '-a', '--format', '{{.Names}}')}\n${await engine.docker('volume', 'ls', '-q')}`;
    for (const other of others) history.add({ type: 'foreign', name: other, there: all.includes(other) });
    return { recoveryMs: [recovery] };
  },
};

/** Containers and volumes of a run that Temporal does not know. */
export async function make(
  { engine }: World,
  of: { count: number; installation: string; run: string },
): Promise<string[]> {
  const run = { workflowId: 'pipeline/gone/1', runId: of.run };
  return Promise.all(
    Array.from({ length: of.count }, async (_, at) => {
      const ref = { pipeline: 'gone/1', job: `job-${at}`, attempt: 1 } as const;
      const name = attemptName(of.installation, run, ref);
      const labels = { ...attemptLabels(of.installation, run, ref), [LABELS.kind]: 'job' };
      await engine.engine.createVolume(name, labels);
      const volumes = [{ volume: name, path: '/builds' }];
      await engine.engine.createContainer({
        name,
        image: HELPER_IMAGE,
        command: ['true'],
        labels,
        volumes,
        logMaxBytes: 65_536,
      });
      return name;
    }),
  );
}
