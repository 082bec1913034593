import { atEffect, deployFile, expectThat, jobOf, note, type Row } from './row.ts';

/** Two pipelines of one environment, and a person who changes the service between a read and its write. */
export const twoDeploy: Row = {
  row: 33,
  fault: 'two pipelines deploy one environment, and the target is changed between',
  moment: 'deploy',
  lane: 'deploy',
  async run(world) {
    const { client, engine, history } = world;
    const project = world.project(33);
    const first = await client.start(project, deployFile(world, project, 'zero'));
    expectThat((await client.verdict(first)).state === 'success', `${first} did not succeed`);
    const hook = atEffect(world, 'service update', {
      moment: 'before',
      answer: 'pass',
      act: async () => {
        note(world, 33, 'the service is changed by hand');
        await engine.docker('service', 'update', '--detach', '--label-add', 'somebody=else', project);
      },
    });
    const from = history.now();
    const ids = await Promise.all(
      ['one', 'two'].map((name) => client.start(project, deployFile(world, project, name))),
    );
    const ends = await Promise.all(ids.map((id) => client.verdict(id)));
    hook.disarm();
    const newest = ends.toSorted((one, other) => other.number - one.number)[0];
    if (newest) expectThat(newest.state === 'success', `${newest.id} did not succeed`, newest);
    for (const end of ends) {
      const { result } = jobOf(end, 'ship');
      const fine = result?.deployed?.state === 'converged' || result?.kind === 'outdated';
      expectThat(fine, `${end.id} neither converged nor was outdated`, end);
    }
    const labels = await engine.docker('service', 'inspect', project, '--format', '{{json .Spec.Labels}}');
    expectThat(labels.includes(`${newest?.id}/ship/1`), `the newest does not stand there: ${labels}`);
    return { recoveryMs: [history.now() - from] };
  },
};
