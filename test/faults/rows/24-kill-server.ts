import { atEffect, expectThat, note, reached, type Row } from './row.ts';

/**
 * 2xx only after Temporal has it: a delivery without one is sent again by the forge, and makes one pipeline
 * at most.
 */
export const killServer: Row = {
  row: 24,
  fault: 'kill -9 server',
  moment: 'after accept, around the start',
  async run(world) {
    const { client, processes, history } = world;
    const recoveryMs: number[] = [];
    for (const moment of ['before', 'after'] as const) {
      const push = world.nextPush();
      const hook = atEffect(world, 'signal with start', {
        moment,
        answer: 'drop',
        act: () => processes.server.end('SIGKILL'),
      });
      note(world, 24, `kill -9 of the server ${moment} the start of ${push.after.slice(0, 8)}`);
      const first = await client.deliverPush({ ...push, id: push.after });
      expectThat(first.answer !== 'ok', 'a delivery was acknowledged by a server that is dead', first);
      await reached(world, hook.done, 'the start');
      await processes.server.start();
      const back = history.now();
      const again = await client.until('a delivery that is taken', 30_000, async () => {
        const sent = await client.deliverPush({ ...push, id: push.after });
        return sent.answer === 'ok' ? sent : undefined;
      });
      recoveryMs.push(history.now() - back);
      await client.verdict(await client.pipelineOf('hook', String(again.body.key)));
    }
    return { recoveryMs };
  },
};
