import { Client, Connection } from '@temporalio/client';
import { atEffect, deployFile, expectThat, jobOf, note, reached, type Row } from './row.ts';
import type { World } from '../world.ts';

/**
 * The deployment is requested again by an upgrade of the worker and by a reset of the workflow: the target
 * has it once.
 */
export const duplicateDeploy: Row = {
  row: 34,
  fault: 'duplicate deploy: worker upgrade, workflow reset',
  moment: 'deploy',
  lane: 'deploy',
  async run(world) {
    const { client, processes, history } = world;
    const project = world.project(34);
    const id = await client.start(project, deployFile(world, project, 'one'));
    // From here on the only reported result is the deployment's: it is watched until it settles.
    await client.until(
      `the effect of ${id}`,
      world.profile.waitMs,
      () => effects(world, id) === 1 || undefined,
    );
    const hook = atEffect(world, 'deploy report', {
      moment: 'before',
      answer: 'drop',
      act: () => processes.deploy.end('SIGKILL'),
    });
    await reached(world, hook.done, `the report of ${id}`);
    note(world, 34, `the deploy worker of ${id} is upgraded before its report`);
    await processes.deploy.start();
    const back = history.now();
    await client.when(id, 'the watch', () => effects(world, id) === 1);
    note(world, 34, `${id} is reset to its beginning`);
    await reset(world, id);
    const status = await client.verdict(id);
    expectThat(status.state === 'success', `${id} did not succeed`, status);
    expectThat(jobOf(status, 'ship').result?.deployed?.state === 'converged', 'it did not converge', status);
    expectThat(effects(world, id) === 1, `${effects(world, id)} effects of one deployment`);
    return { recoveryMs: [history.now() - back] };
  },
};

const effects = ({ history }: World, id: string): number =>
  history.events.filter(
    (event) => event.type === 'effect' && event.deployId === `${id}/ship/1` && event.answer === 'ok',
  ).length;

/** To its first task: the workflow repeats all of its requests. */
async function reset({ ports }: World, id: string): Promise<void> {
  const connection = await Connection.connect({ address: `127.0.0.1:${ports.temporal}` });
  try {
    const temporal = new Client({ connection, namespace: 'davit' });
    const handle = temporal.workflow.getHandle(`pipeline/${id}`);
    const { events } = await handle.fetchHistory();
    const task = events?.find((event) => event.workflowTaskCompletedEventAttributes);
    const { runId } = await handle.describe();
    await connection.workflowService.resetWorkflowExecution({
      namespace: 'davit',
      workflowExecution: { workflowId: `pipeline/${id}`, runId },
      reason: 'a fault',
      requestId: `reset-${id}`,
      workflowTaskFinishEventId: task?.eventId,
    });
  } finally {
    await connection.close();
  }
}
