import { buildFile, expectThat, jobOf, note, type Row } from './row.ts';

/**
 * The build is started again with its cache, in the same attempt; the log shows where one dispatch ends and
 * the next begins.
 */
export const killBuild: Row = {
  row: 1,
  fault: 'kill -9 worker, started again',
  moment: 'image build',
  lane: 'arch',
  async run(world) {
    const { client, processes, history } = world;
    const id = await client.start(world.project(1), buildFile(world), { files: dockerfile('sleep 2') });
    await client.untilLogged(id, 'pack', 'second step');
    note(world, 1, `kill -9 of the worker that builds ${id}`);
    await processes.arch.end('SIGKILL');
    await processes.arch.start();
    const back = history.now();
    const status = await client.when(id, 'another try', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
    const recovery = history.now() - back;
    expectThat(jobOf(status, 'pack').attempt === 1, 'an attempt was used up');
    const end = await client.verdict(id);
    expectThat(end.state === 'success', `${id} did not succeed`, end);
    const log = (await client.rawLog(id, 'pack'))?.bytes ?? '';
    expectThat(log.split('Building 127').length === 3, 'the log does not show two tries');
    return { recoveryMs: [recovery] };
  },
};

export const dockerfile = (wait: string): Record<string, string> => ({
  Dockerfile: `FROM davit/helper:1\nRUN echo first step\nRUN echo second step && ${wait}\nRUN echo third > /third\n`,
});
