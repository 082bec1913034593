import { countFile, expectThat, jobOf, note, GATED, type Row } from './row.ts';

/**
 * Two people approve concurrently, then two who disagree: one decision counts, the other person is told, both
 * are recorded.
 */
export const race: Row = {
  row: 28,
  fault: 'two approvals race; approve and reject race',
  moment: 'gate',
  calm: true,
  async run(world) {
    const { client, history } = world;
    const recoveryMs: number[] = [];
    for (const actions of [
      ['play', 'play'],
      ['play', 'reject'],
    ] as const) {
      const id = await client.start(world.project(28), countFile(3, 0.2, GATED));
      await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
      note(world, 28, `${actions.join(' and ')} of ${id} at once`);
      const from = history.now();
      const sent = await Promise.all(actions.map((action) => client.decide(id, 'count', action)));
      expectThat(
        sent.filter(({ answer }) => answer === 'ok').length === 1,
        'not one decision was accepted',
        sent,
      );
      const second = sent.find(({ answer }) => answer !== 'ok');
      expectThat(second?.code === 409, 'the second was not told of a conflict', second);
      const status = await client.verdict(id);
      recoveryMs.push(history.now() - from);
      const job = jobOf(status, 'count');
      const won = actions[sent.findIndex(({ answer }) => answer === 'ok')];
      expectThat(
        job.outcome === (won === 'play' ? 'succeeded' : 'failed') || won === 'reject',
        'not as decided',
        job,
      );
      expectThat(won === 'play' || job.result?.kind === 'rejected', 'rejected, and it says otherwise', job);
      expectThat(job.decisions.length === 2, 'not both decisions are on record', job.decisions);
    }
    return { recoveryMs };
  },
};
