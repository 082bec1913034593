import { expectThat, note, type Row } from './row.ts';

const ANSWER_MS = 10_000;
/**
 * Many deliveries at once: each is accepted in time or refused temporarily, and each accepted one makes one
 * pipeline.
 */
export const storm: Row = {
  row: 23,
  fault: 'many webhooks at once',
  moment: 'accept',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const count = Math.min(profile.storm, world.pushesLeft);
    note(world, 23, `${count} deliveries at once`);
    const from = history.now();
    const sent = await Promise.all(
      Array.from({ length: count }, async () => {
        const push = world.nextPush();
        const one = await client.deliverPush({ ...push, id: push.after });
        return { one, at: history.now() - from };
      }),
    );
    for (const { one, at } of sent) {
      const fine = one.answer === 'ok' || one.code === 429 || one.code === 503;
      expectThat(fine, 'neither taken nor refused for now', one);
      expectThat(at < ANSWER_MS, `answered only after ${Math.round(at)} ms`);
    }
    const keys = sent.flatMap(({ one }) => (typeof one.body.key === 'string' ? [one.body.key] : []));
    // One after the other: requesting all of them at once would be a load of its own.
    const ids: string[] = [];
    for (const key of keys) ids.push(await client.pipelineOf('hook', key));
    expectThat(
      new Set(ids).size === keys.length,
      `${keys.length} were taken, ${new Set(ids).size} pipelines there are`,
    );
    // Checked now: at the end of a long run it is unknown whether they ended in time.
    for (const id of ids) await client.verdict(id);
    return { recoveryMs: [Math.max(...sent.map(({ at }) => at))] };
  },
};
