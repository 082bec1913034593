import { setTimeout as delay } from 'node:timers/promises';
import { countFile, deployFile, expectThat, expectWhole, note, GATED, type Row } from './row.ts';

const LINES = 40;
/** Temporal and its database die during all kinds of work: everything ends correctly without help. */
export const temporalAll: Row = {
  row: 11,
  fault: 'kill -9 Temporal and its database',
  moment: 'all stages at load',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const service = world.project(11);
    const scripts = await Promise.all(
      Array.from({ length: 4 }, () => client.start(world.project(11), countFile(LINES, 5))),
    );
    const deployment = client.start(service, deployFile(world, service, 'one'));
    const gated = await client.start(world.project(11), countFile(3, 0.2, GATED));
    await client.untilLogged(scripts[0] ?? '', 'count', 'line-5\n');
    const ships = await deployment;
    note(world, 11, 'kill -9 of Temporal while scripts, a deployment and a gate are under way');
    await world.temporalDies();
    await delay(profile.temporalAwayMs);
    await world.temporalStarts();
    const back = history.now();
    for (const id of scripts) expectWhole(world, await client.verdict(id), LINES);
    const recovery = history.now() - back;
    const shipped = await client.verdict(ships);
    expectThat(shipped.state === 'success', `${ships} did not succeed`, shipped);
    await client.until('the approval', 30_000, async () => {
      const sent = await client.decide(gated, 'count', 'play');
      return sent.answer === 'ok' || sent.code === 409 ? sent : undefined;
    });
    expectWhole(world, await client.verdict(gated), 3);
    return { recoveryMs: [recovery] };
  },
};
