import { expectThat, jobOf, note, GATED, type Row } from './row.ts';

/**
 * A retry directly after a cancel: the gate asks again, and the old container is gone before the new one
 * starts (I4).
 */
export const cancelRetry: Row = {
  row: 32,
  fault: 'cancel, then retry at once',
  moment: 'gated run',
  calm: true,
  async run(world) {
    const { client, history } = world;
    const file = `slow:\n${GATED}  script: ['echo begun', 'trap "sleep 1; exit 1" TERM', 'sleep 1000 & wait']\n`;
    const id = await client.start(world.project(32), file);
    await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
    await client.decide(id, 'slow', 'play');
    await client.untilLogged(id, 'slow', '\nbegun');
    note(world, 32, `cancel and retry of ${id}`);
    const from = history.now();
    expectThat((await client.decide(id, 'slow', 'cancelJob')).answer === 'ok', 'the cancel was not taken');
    await client.until('a retry that is taken', world.profile.waitMs, async () => {
      const sent = await client.decide(id, 'slow', 'retry');
      return sent.answer === 'ok' ? sent : undefined;
    });
    const again = await client.when(id, 'its gate again', (one) => one.jobs[0]?.phase === 'gate');
    const recovery = history.now() - from;
    expectThat(jobOf(again, 'slow').attempt === 1, 'it began before it was approved again', again);
    await client.decide(id, 'slow', 'play');
    await client.when(
      id,
      'its second attempt',
      (one) => one.jobs[0]?.attempt === 2 && one.jobs[0].phase !== 'gate',
    );
    await client.cancel(id);
    await client.verdict(id);
    return { recoveryMs: [recovery] };
  },
};
