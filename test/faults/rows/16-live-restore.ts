import { countFile, expectWhole, note, type Row } from './row.ts';

const LINES = 400;
/**
 * The container survives its engine, blocked while its pipe is full; it ends normally, and no line is
 * missing.
 */
export const liveRestore: Row = {
  row: 16,
  fault: 'dockerd restart, live-restore, chatty job',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, history } = world;
    try {
      const board = await world.addBoard();
      const id = await client.start(world.project(16), countFile(LINES, 4, '  tags: [live]\n'));
      await client.untilLogged(id, 'count', 'line-20\n');
      note(world, 16, `the engine of ${id} restarts with live-restore`);
      await board.down('SIGTERM');
      await board.up();
      const back = history.now();
      expectWhole(world, await client.verdict(id), LINES);
      return { recoveryMs: [history.now() - back] };
    } finally {
      await world.removeBoard();
    }
  },
};
