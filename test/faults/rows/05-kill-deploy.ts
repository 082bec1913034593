import { atEffect, deployFile, expectThat, jobOf, note, reached, type EffectName, type Row } from './row.ts';

/** On each side of the effect, first for a new service, then for an existing one. */
export const killDeploy: Row = {
  row: 5,
  fault: 'kill -9 worker',
  moment: 'deploy, around the API call',
  lane: 'deploy',
  async run(world) {
    const { client, processes } = world;
    const project = world.project(5);
    const recoveryMs: number[] = [];
    const calls: [EffectName, 'before' | 'after'][] = [
      ['service create', 'after'],
      ['service update', world.random.pick(['before', 'after'])],
    ];
    for (const [effect, moment] of calls) {
      const hook = atEffect(world, effect, {
        moment,
        answer: 'drop',
        act: () => processes.deploy.end('SIGKILL'),
      });
      const id = await client.start(project, deployFile(world, project, effect));
      await reached(world, hook.done, `${effect} of ${id}`);
      note(world, 5, `kill -9 ${moment} the ${effect} of ${id}`);
      await processes.deploy.start();
      const back = world.history.now();
      const status = await client.verdict(id);
      recoveryMs.push(world.history.now() - back);
      expectThat(status.state === 'success', `${id} did not succeed`, status);
      const { result } = jobOf(status, 'ship');
      expectThat(result?.deployed?.state === 'converged', `${id} did not converge`, result);
    }
    return { recoveryMs };
  },
};
