import { expectThat, note, type Row } from './row.ts';

/** B's delivery comes before A's: each is one pipeline, and both end. What A would deploy, row 33 and its sequence keep back. */
export const outOfOrder: Row = {
  row: 22,
  fault: 'webhooks out of order',
  moment: 'accept',
  calm: true,
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
    for (const id of ids) await client.verdict(id);
    return { recoveryMs: [recovery] };
  },
};
