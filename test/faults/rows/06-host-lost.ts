import { countFile, expectThat, jobOf, note, type Row } from './row.ts';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import type { World } from '../world.ts';

/** For rows 6 and 7. Row 2 covers the loss of a machine that has everything. */
export const HERE_IS_ALL =
  'The machine that is lost has server and control worker, so that nothing can give it up.';

/**
 * The machine stays away past its grace period: the job is reported as `host_lost`, and not run elsewhere
 * automatically. Its pipeline is still open when the machine returns, and its containers are removed
 * nevertheless.
 */
export const hostLost: Row = {
  row: 6,
  fault: 'power off docker host',
  moment: 'script',
  separate: HERE_IS_ALL,
  long: true,
  async run(world) {
    const { client, processes, history } = world;
    const id = await startOnLost(
      world,
      6,
      'later:\n  needs: []\n  when: manual\n  gate: {}\n  script: [echo later]\n',
    );
    note(world, 6, `the machine of ${id} is gone`);
    await processes.arch.end('SIGKILL');
    const from = history.now();
    await untilLost(world, id);
    const { heartbeatMs, hostGraceMs } = world.profile;
    const recovery = history.now() - from - heartbeatMs - hostGraceMs;
    await processes.arch.start();
    await untilGone(world, id);
    expectThat((await client.status(id))?.endedAt === undefined, 'its pipeline has ended before');
    await client.decide(id, 'later', 'reject');
    const status = await client.verdict(id);
    expectThat(status.state === 'failed', 'what was told of the job has changed', status);
    return { recoveryMs: [Math.max(0, recovery)] };
  },
};

/** A script that runs for longer than its machine is away. Its pipeline, of row 6 or 7. */
export async function startOnLost(world: World, row: number, more = ''): Promise<string> {
  const { client, profile } = world;
  const seconds = (profile.heartbeatMs + profile.hostGraceMs) / 1_000 + 180;
  const id = await client.start(world.project(row), countFile(Math.round(seconds * 5), seconds, more));
  await client.untilLogged(id, 'count', 'line-3\n');
  return id;
}
export async function untilLost({ client, profile, history, engine }: World, id: string): Promise<void> {
  const ms = profile.heartbeatMs + profile.hostGraceMs + profile.waitMs;
  const isOver = ({ jobs }: PipelineStatus): boolean =>
    jobs.find(({ key }) => key === 'count')?.outcome !== undefined;
  const status = await client.when(id, 'its machine told as lost', isOver, ms);
  const { result, attempt } = jobOf(status, 'count');
  expectThat(
    result?.outcome === 'errored' && result.kind === 'host_lost',
    `it is told as ${result?.kind}`,
    result,
  );
  expectThat(attempt === 1, 'a script that has begun was run elsewhere');
  history.add({ type: 'host-lost', engine: engine.name });
}
export const containersOf = ({ engine }: World, id: string): Promise<string> =>
  engine.docker('ps', '-aq', '--filter', `label=davit.job.pipeline=${id}`);
export const untilGone = (world: World, id: string): Promise<true> =>
  world.client.until(`the orphan of ${id} is gone`, world.profile.waitMs, async () =>
    (await containersOf(world, id)) === '' ? true : undefined,
  );
