import { atEffect, deployFile, expectThat, jobOf, note, reached, type Row } from './row.ts';

/**
 * A cancel coincides with a deployment: it is not applied, or it is rolled back; the status shows the state
 * of the target.
 */
export const cancelDeploy: Row = {
  row: 31,
  fault: 'cancel',
  moment: 'deploy in flight',
  lane: 'deploy',
  async run(world) {
    const { client, engine, history, random } = world;
    const project = world.project(31);
    const first = await client.start(project, deployFile(world, project, 'one'));
    expectThat((await client.verdict(first)).state === 'success', `${first} did not succeed`);
    const moment = random.pick(['before', 'after'] as const);
    const cancelled = { id: '' };
    const known = Promise.withResolvers<void>();
    const hook = atEffect(world, 'service update', {
      moment,
      answer: 'pass',
      act: async () => {
        await known.promise;
        note(world, 31, `cancel ${moment} the update of ${cancelled.id}`);
        await client.cancel(cancelled.id);
      },
    });
    cancelled.id = await client.start(project, deployFile(world, project, 'two'));
    known.resolve();
    await reached(world, hook.done, 'the update');
    const from = history.now();
    const status = await client.verdict(cancelled.id);
    const { result } = jobOf(status, 'ship');
    expectThat(status.state === 'canceled', 'it was not cancelled', status);
    const text = await engine.docker('service', 'inspect', project, '--format', '{{json .Spec}}');
    const stands = text.includes('# two');
    const said = result?.deployed?.state;
    expectThat(
      said === undefined ? !stands : said === 'rolled_back' && !stands,
      `it says ${said}, and ${stands ? 'the new one' : 'the old one'} stands`,
    );
    return { recoveryMs: [history.now() - from] };
  },
};
