import {
  countFile,
  atEffect,
  expectThat,
  expectWhole,
  jobOf,
  note,
  reached,
  GATED,
  type Row,
} from './row.ts';
import type { World } from '../world.ts';

/**
 * Temporal has the request, but the caller gets no response: a repetition makes one pipeline, one decision.
 */
export const lostAnswers: Row = {
  row: 12,
  fault: 'committed, and the caller times out',
  moment: 'start, signal, update',
  async run(world) {
    return { recoveryMs: [await delivery(world), await approval(world)] };
  },
};

async function delivery(world: World): Promise<number> {
  const { client, history } = world;
  const hook = atEffect(world, 'signal with start', {
    moment: 'after',
    answer: 'drop',
    act: () => undefined,
  });
  const push = world.nextPush();
  note(world, 12, 'the answer to signal with start is lost');
  await client.deliverPush({ ...push, id: push.after });
  await reached(world, hook.done, 'signal with start');
  const back = history.now();
  const again = await client.until('a second delivery that is taken', 30_000, async () => {
    const sent = await client.deliverPush({ ...push, id: push.after });
    return sent.answer === 'ok' ? sent : undefined;
  });
  const id = await client.pipelineOf('hook', String(again.body.key));
  await client.verdict(id);
  return history.now() - back;
}

const LINES = 5;
async function approval(world: World): Promise<number> {
  const { client, history } = world;
  const id = await client.start(world.project(12), countFile(LINES, 0.5, GATED));
  await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
  const hook = atEffect(world, 'update', { moment: 'after', answer: 'drop', act: () => undefined });
  note(world, 12, `the answer to the approval of ${id} is lost`);
  const first = client.decide(id, 'count', 'play');
  await reached(world, hook.done, 'the update');
  const back = history.now();
  await first;
  const again = await client.decide(id, 'count', 'play');
  const status = await client.verdict(id);
  expectWhole(world, status, LINES);
  const accepted = jobOf(status, 'count').decisions.filter(({ answer }) => answer === 'accepted');
  expectThat(accepted.length <= 1, 'two decisions were accepted', jobOf(status, 'count').decisions);
  expectThat(again.answer !== 'ok' || accepted.length === 1, 'a decision was acknowledged and is not there');
  return history.now() - back;
}
