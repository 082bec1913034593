import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, expectWhole, note, GATED, type Row } from './row.ts';

/** No approval is taken while Temporal is away; afterwards the gate is open still, and its deadline is what it was. */
export const temporalGate: Row = {
  row: 10,
  fault: 'kill -9 Temporal, started again',
  moment: 'gate waiting',
  async run(world) {
    const { client, processes, history, profile } = world;
    const id = await client.start(world.project(10), countFile(5, 0.5, GATED));
    const before = await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
    note(world, 10, `kill -9 of Temporal while the gate of ${id} waits`);
    await processes.temporal.end('SIGKILL');
    const refused = await client.decide(id, 'count', 'play');
    expectThat(refused.code === 503, 'an approval without Temporal is not answered by 503', refused);
    await delay(profile.temporalAwayMs);
    await processes.temporal.start();
    const back = history.now();
    const after = await client.when(id, 'its gate again', (one) => one.jobs[0]?.phase === 'gate');
    const recovery = history.now() - back;
    expectThat(
      after.jobs[0]?.gate?.expiresAt === before.jobs[0]?.gate?.expiresAt,
      'the gate has another deadline',
      after,
    );
    await client.until('an approval that is taken', world.profile.waitMs, async () => {
      const sent = await client.decide(id, 'count', 'play');
      return sent.answer === 'ok' || sent.code === 409 ? sent : undefined;
    });
    expectWhole(world, await client.verdict(id), 5);
    return { recoveryMs: [recovery] };
  },
};
