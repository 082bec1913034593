import { expectThat, note, type Row } from './row.ts';

/**
 * B's delivery comes before A's: each makes one pipeline; A's is superseded by B's before any job of it
 * starts, so it deploys nothing.
 */
export const outOfOrder: Row = {
  row: 22,
  fault: 'webhooks out of order',
  moment: 'accept',
  calm: true,
  pushes: true,
  async run(world) {
    const { client, history } = world;
    const [one, two] = [world.nextPush(), world.nextPush()];
    note(world, 22, 'the later push is told of first');
    const from = history.now();
    const second = await client.deliverPush({ ...two, id: two.after });
    const first = await client.deliverPush({ ...one, id: one.after });
    expectThat(first.answer === 'ok' && second.answer === 'ok', 'a delivery was not taken', {
      first,
      second,
    });
    const ids = await Promise.all(
      [second, first].map(({ body }) => client.pipelineOf('hook', String(body.key))),
    );
    expectThat(new Set(ids).size === 2, 'the two are one pipeline', ids);
    const recovery = history.now() - from;
    const [newer, older] = await Promise.all(ids.map((id) => client.verdict(id)));
    expectThat(newer?.state === 'success', 'the later push did not succeed', newer);
    expectThat(older?.state === 'canceled', 'the earlier push was not superseded', older);
    const begun = older?.jobs.filter(({ result }) => result?.started !== false) ?? [];
    expectThat(begun.length === 0, 'a job of the earlier push was started', begun);
    return { recoveryMs: [recovery] };
  },
};
