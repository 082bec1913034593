import { dockerfile } from './01-kill-build.ts';
import { atEffect, buildFile, digestOf, expectThat, jobOf, note, type Row } from './row.ts';

/** 429 and 5xx pass; the digest that was pushed is what is deployed, whatever a tag says meanwhile. */
export const registryRefuses: Row = {
  row: 20,
  fault: 'registry answers 429 and 503; tag moved by another',
  moment: 'push',
  async run(world) {
    const { client, history, engine, registryHost } = world;
    const project = world.project(20);
    const hooks = [429, 503].map((status) =>
      atEffect(world, 'manifest put', {
        moment: 'before',
        answer: { status, headers: { 'retry-after': '1' } },
        act: () => note(world, 20, `the registry answers ${status}`),
      }),
    );
    const id = await client.start(project, buildFile(world, project), {
      files: dockerfile(`echo ${project}`),
    });
    const status = await client.verdict(id);
    const back = history.now();
    for (const hook of hooks) hook.disarm();
    expectThat(status.state === 'success', `${id} did not succeed`, status);
    const pushed = jobOf(status, 'release').result?.index?.digest;
    expectThat((await digestOf(world, project, 'latest')) === pushed, 'the tag names something else');
    note(world, 20, 'somebody moves the tag');
    await engine.docker('tag', 'davit/helper:1', `${registryHost}/${project}:latest`);
    await engine.docker('push', `${registryHost}/${project}:latest`);
    const moved = await digestOf(world, project, 'latest');
    expectThat(moved !== pushed, 'the tag was not moved');
    expectThat(
      (await digestOf(world, project, String(pushed))) === pushed,
      'what was pushed is not there by digest',
    );
    return { recoveryMs: [history.now() - back] };
  },
};
