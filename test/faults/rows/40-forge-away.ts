import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, note, type Row } from './row.ts';

const CONTEXT = 'davit/push';
/**
 * The forge is away when a pipeline ends, and the control worker dies meanwhile: the pipeline does not wait, and the forge
 * knows its verdict once both are back.
 */
export const forgeAway: Row = {
  row: 40,
  fault: 'forge away, kill -9 control worker meanwhile',
  moment: 'end of a pipeline',
  async run(world) {
    const { client, processes, history, forge, profile } = world;
    const border = world.border('control>forge');
    const id = await client.start('told', countFile(4, 2));
    const { sha } = await client.when(id, 'it is told', (one) => forge.seen(one.sha, CONTEXT) !== undefined);
    note(world, 40, `the forge is away while ${id} runs`);
    border.cut();
    const status = await client.verdict(id);
    expectThat(status.state === 'success', `${id} did not succeed`, status);
    expectThat(forge.seen(sha, CONTEXT)?.state === 'pending', 'the forge was not away');
    await delay(world.random.below(1_500));
    note(world, 40, 'kill -9 of the control worker');
    await processes.control.end('SIGKILL');
    await processes.control.start();
    border.open();
    const back = history.now();
    await client.until('the verdict at the forge', profile.waitMs, () =>
      forge.seen(sha, CONTEXT)?.state === 'success' ? true : undefined,
    );
    return { recoveryMs: [history.now() - back] };
  },
};
