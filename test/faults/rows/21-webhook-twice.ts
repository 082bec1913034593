import { expectThat, note, type Row } from './row.ts';

const COPIES = 6;
/**
 * The same delivery, several times concurrently and once more later: all get 2xx, and there is one pipeline.
 */
export const webhookTwice: Row = {
  row: 21,
  fault: 'webhook twice, also concurrently',
  moment: 'accept',
  calm: true,
  pushes: true,
  async run(world) {
    const { client, history } = world;
    const push = world.nextPush();
    const from = history.now();
    note(world, 21, `${COPIES} deliveries at once`);
    const send = () => client.deliverPush({ ...push, id: push.after });
    const sent = await Promise.all(Array.from({ length: COPIES }, send));
    for (const one of sent) expectThat(one.answer === 'ok', 'a delivery was not taken', one);
    const id = await client.pipelineOf('hook', String(sent[0]?.body.key));
    const recovery = history.now() - from;
    await client.verdict(id);
    expectThat((await send()).answer === 'ok', 'a delivery after the end was not taken');
    const next = world.nextPush();
    const other = await client.deliverPush({ ...next, id: next.after });
    await client.verdict(await client.pipelineOf('hook', String(other.body.key)));
    const found = (await client.listed('hook')).filter(({ sha }) => sha === push.after);
    expectThat(found.length === 1, `${found.length} pipelines of one push`, found);
    return { recoveryMs: [recovery] };
  },
};
