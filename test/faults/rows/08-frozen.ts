import { setTimeout as delay } from 'node:timers/promises';
import {
  atEffect,
  countFile,
  deployFile,
  expectThat,
  expectWhole,
  jobOf,
  note,
  reached,
  type Row,
} from './row.ts';
import type { World } from '../world.ts';

/**
 * A frozen worker wakes up after another worker has finished its work: it can neither log, nor complete, nor
 * deploy.
 */
export const frozen: Row = {
  row: 8,
  fault: 'SIGSTOP worker, then SIGCONT',
  moment: 'script, deploy',
  async run(world) {
    if (world.shape === 'one-process')
      return { recoveryMs: [await wholeInScript(world), await wholeInDeployment(world)] };
    // In parallel: in its literal length each takes minutes. Both are awaited, so that none runs on into the
    // next row.
    const both = await Promise.allSettled([script(world), deployment(world)]);
    for (const one of both) if (one.status === 'rejected') throw one.reason;
    return { recoveryMs: both.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])) };
  },
};

const LATE_MS = 1_500;
const LINES = 60;
/**
 * Its connections stay open, and Temporal keeps giving tasks to its open polls: a job that starts now must
 * not be lost.
 */
async function script(world: World): Promise<number[]> {
  const { client, processes } = world;
  const { frozenMs, heartbeatMs, waitMs } = world.profile;
  const id = await client.start(world.project(8), countFile(LINES, frozenMs / 1_000 + 3));
  await client.untilLogged(id, 'count', 'line-4\n');
  note(world, 8, `SIGSTOP of the worker of ${id}`);
  processes.arch.freeze();
  const from = world.history.now();
  const begun = await client.start(world.project(8), countFile(3, 0.1));
  await processes.arch2.start();
  await client.when(id, 'resumed by the other worker', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
  const recovery = world.history.now() - from - heartbeatMs;
  // An open poll of the frozen worker may get the resume as well: then the next dispatch continues.
  await client.untilLogged(id, 'count', 'line-40\n', frozenMs + waitMs);
  await delay(Math.max(0, frozenMs - (world.history.now() - from)));
  const second = await client.verdict(begun);
  expectThat(second.state === 'success', 'what began while a worker stood still did not succeed', second);
  // It does not know yet that it was replaced: it sends its log to the store, which refuses it.
  world.border('arch>temporal').cut();
  processes.arch.thaw();
  await delay(LATE_MS);
  world.border('arch>temporal').open();
  expectWhole(world, await client.verdict(id), LINES);
  return [Math.max(0, recovery)];
}

/**
 * Frozen between its decision and its request: the request reaches a target that another worker has changed
 * meanwhile.
 */
async function deployment(world: World): Promise<number[]> {
  const { client, processes, history, profile } = world;
  const project = world.project(8);
  const first = await client.start(project, deployFile(world, project, 'one'));
  expectThat((await client.verdict(first)).state === 'success', `${first} did not succeed`);
  const asked = history.events.length;
  const hook = atEffect(world, 'service update', {
    moment: 'before',
    answer: 'pass',
    act: async () => {
      note(world, 8, 'SIGSTOP of the deploy worker before its update');
      processes.deploy.freeze();
      await processes.deploy2.start();
      const from = history.now();
      await client.until('the other worker deploys', profile.waitMs, () => (taken() > 0 ? true : undefined));
      if (profile.name === 'literal') await delay(profile.frozenMs - (history.now() - from));
    },
  });
  const taken = (): number =>
    history.events.slice(asked).filter((event) => event.type === 'effect' && event.answer === 'ok').length;
  const id = await client.start(project, deployFile(world, project, 'two'));
  await reached(world, hook.done, `the update of ${id}`, profile.waitMs + profile.frozenMs);
  processes.deploy.thaw();
  const back = history.now();
  const status = await client.verdict(id);
  expectThat(status.state === 'success', `${id} did not succeed`, status);
  expectThat(jobOf(status, 'ship').result?.deployed?.state === 'converged', `${id} did not converge`, status);
  await client.until('the answer to the late update', 30_000, () =>
    history.events.slice(asked).some((event) => event.type === 'effect' && event.answer === 'refused')
      ? true
      : undefined,
  );
  expectThat(taken() === 1, `the target was changed ${taken()} times`);
  return [history.now() - back];
}

/**
 * With one process nothing else works meanwhile: Temporal has closed the dispatch when the process continues,
 * and the next dispatch attaches to the container.
 */
async function wholeInScript(world: World): Promise<number> {
  const { client, history, profile } = world;
  const id = await client.start(world.project(8), countFile(LINES, profile.frozenMs / 1_000 + 3));
  await client.untilLogged(id, 'count', 'line-4\n');
  const back = await standStill(world, `in the script of ${id}`);
  await client.when(id, 'resumed', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
  const recovery = history.now() - back;
  expectWhole(world, await client.verdict(id), LINES);
  return recovery;
}

/** Frozen before its request to the target, which is carried out meanwhile: the next dispatch finds that out. */
async function wholeInDeployment(world: World): Promise<number> {
  const { client, history, profile } = world;
  const project = world.project(8);
  const asked = history.events.length;
  let back = 0;
  const hook = atEffect(world, 'service create', {
    moment: 'before',
    answer: 'pass',
    act: async () => {
      back = await standStill(world, 'before a deployment');
    },
  });
  const id = await client.start(project, deployFile(world, project, 'one'));
  await reached(world, hook.done, `the service of ${id}`, profile.waitMs + profile.frozenMs);
  const status = await client.verdict(id);
  expectThat(status.state === 'success', `${id} did not succeed`, status);
  expectThat(jobOf(status, 'ship').result?.deployed?.state === 'converged', `${id} did not converge`, status);
  const taken = history.events
    .slice(asked)
    .filter((event) => event.type === 'effect' && event.answer === 'ok').length;
  expectThat(taken === 1, `the target was changed ${taken} times`);
  return history.now() - back;
}

/** Returns when the process continues. */
async function standStill(world: World, when: string): Promise<number> {
  note(world, 8, `SIGSTOP of the one process ${when}`);
  world.processes.arch.freeze();
  await delay(world.profile.frozenMs);
  world.processes.arch.thaw();
  return world.history.now();
}
