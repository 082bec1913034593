import { dockerfile } from './01-kill-build.ts';
import { atEffect, buildFile, digestOf, expectThat, jobOf, note, reached, type Row } from './row.ts';

/**
 * In the middle of a layer: the tag moves only when everything is uploaded, and the image is the one that was
 * built.
 */
export const killPush: Row = {
  row: 4,
  fault: 'kill -9 worker',
  moment: 'push, mid-layer; tag',
  async run(world) {
    const { client, processes, history } = world;
    const recoveryMs: number[] = [];
    for (const effect of ['layer upload', 'tag move'] as const) {
      const name = effect === 'tag move' ? 'control' : 'arch';
      const hook = atEffect(world, effect, {
        moment: world.random.pick(['before', 'after']),
        answer: 'drop',
        act: () => processes[name].end('SIGKILL'),
      });
      const project = world.project(4);
      const id = await client.start(project, buildFile(world, project), {
        files: dockerfile(`echo ${project}`),
      });
      await reached(world, hook.done, effect);
      note(world, 4, `kill -9 at the ${effect} of ${id}`);
      await processes[name].start();
      const back = history.now();
      const status = await client.verdict(id);
      recoveryMs.push(history.now() - back);
      expectThat(status.state === 'success', `${id} did not succeed`, status);
      const { result } = jobOf(status, 'release');
      const stands = await digestOf(world, project, 'latest');
      expectThat(
        result?.index?.digest === stands,
        `the tag names ${stands}, the job pushed ${result?.index?.digest}`,
      );
      const [platform] = result?.index?.platforms ?? [];
      const built = jobOf(status, 'pack').result?.image?.digest;
      expectThat(platform?.digest === built, `the index names ${platform?.digest}, built was ${built}`);
    }
    return { recoveryMs };
  },
};
