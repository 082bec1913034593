/**
 * A davit of the version before is replaced by this one, process by process, under load. What began there ends here:
 * scripts, gates, deployments, deliveries; what ended there can still be read; its histories replay.
 */
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import { type PartName, PARTS } from '../parts.ts';
import type { World } from '../world.ts';
import { replayAll } from './36-replay.ts';
import { countFile, deployFile, expectThat, expectWhole, jobOf, MANUAL_GO, note, type Row } from './row.ts';

const LINES = 60;
const SECONDS = 30;

export const upgrade: Row = {
  row: 41,
  fault: 'rolling upgrade from the version before, SIGTERM or kill -9 of each process',
  moment: 'script running, gate open, between two deployments',
  before: true,
  long: true,
  async run(world) {
    const { client, processes, history } = world;
    const service = world.project(41);
    await deploys(world, service, 'first');
    const pushed = world.nextPush();
    const delivery = (): ReturnType<typeof client.deliverPush> =>
      client.deliverPush({ ...pushed, id: pushed.after });
    const sent = await delivery();
    await client.verdict(await client.pipelineOf('hook', String(sent.body.key)));

    const open = await client.start(world.project(41), countFile(5, 1, MANUAL_GO));
    await client.when(open, 'at its gate', atGate);
    const running = await client.start(world.project(41), countFile(LINES, SECONDS, MANUAL_GO));
    await client.untilLogged(running, 'count', 'line-3\n');

    const between: string[] = [];
    const parts = world.shape === 'one-process' ? (['arch'] as const) : inAnyOrder(world);
    for (const name of parts) {
      const signal = world.random.pick(['SIGTERM', 'SIGKILL'] as const);
      note(world, 41, `${signal} ${name}, which then has this version`);
      processes[name].withArgs();
      await processes[name].end(signal);
      await processes[name].start();
      // Mixed versions take it, or its jobs wait until their worker is replaced too.
      between.push(await client.start(world.project(41), countFile(5, 1)));
    }
    const upgraded = history.now();
    for (const id of between) expectWhole(world, await client.verdict(id), 5);
    const recovery = history.now() - upgraded;

    for (const id of [open, running]) {
      await client.when(id, 'at its gate', atGate);
      const played = await client.decide(id, 'go', 'play');
      expectThat(played.answer === 'ok', 'the approval was not taken', played);
    }
    expectWhole(world, await client.verdict(open), 5);
    expectWhole(world, await client.verdict(running), LINES);

    expectThat((await delivery()).answer === 'ok', 'the delivery was not taken again');
    await deploys(world, service, 'second');
    const found = (await client.listed('hook')).filter(({ sha }) => sha === pushed.after);
    expectThat(found.length === 1, `${found.length} pipelines of one push`, found);
    const { broken } = await replayAll(world);
    expectThat(broken.length === 0, broken.join('; '));
    return { recoveryMs: [recovery] };
  },
};

const atGate = ({ jobs }: PipelineStatus): boolean =>
  jobs.some(({ key, phase }) => key === 'go' && phase === 'gate');

function inAnyOrder({ random }: World): PartName[] {
  const drawn = PARTS.map((name) => ({ name, key: random.next() }));
  return drawn.toSorted((one, other) => one.key - other.key).map(({ name }) => name);
}

async function deploys(world: World, service: string, version: string): Promise<void> {
  const id = await world.client.start(service, deployFile(world, service, version));
  const status = await world.client.verdict(id);
  const { result } = jobOf(status, 'ship');
  expectThat(result?.deployed?.state === 'converged', `${id} did not converge`, status);
}
