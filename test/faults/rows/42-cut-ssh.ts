import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, expectWhole, note, type Row } from './row.ts';

const LINES = 60;

/** Numbers of the ssh processes below a process. */
function sshBelow(pid: number): number[] {
  const parents = new Map<number, { parent: number; name: string }>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one)))
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), {
        parent: Number(parent),
        name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      });
    } catch {
      // It has just ended.
    }
  const isBelow = (one: number): boolean => {
    for (let at = parents.get(one)?.parent; at !== undefined; at = parents.get(at)?.parent)
      if (at === pid) return true;
    return false;
  };
  return [...parents].filter(([one, { name }]) => name === 'ssh' && isBelow(one)).map(([one]) => one);
}

/** The process, the network and the way back: the worker connects again, and waits for its container by name. */
export const cutSsh: Row = {
  row: 42,
  fault: 'ssh to the engine ends',
  moment: 'kill -9, stalled, cut',
  lane: 'arch',
  fleet: 'it cuts the ssh connection of a worker',
  async run(world) {
    const { client, history } = world;
    const id = await client.start(world.project(42), countFile(LINES, 9));
    await client.untilLogged(id, 'count', 'line-3\n');
    const all = sshBelow(world.processes.arch.pid);
    expectThat(all.length > 0, 'the worker has no ssh');
    note(world, 42, `ssh of the worker of ${id} gets kill -9`);
    for (const pid of all) process.kill(pid, 'SIGKILL');
    await client.untilLogged(id, 'count', 'line-20\n');
    const border = world.border('board>ssh');
    note(world, 42, 'nothing passes');
    border.stall();
    await delay(2_000);
    note(world, 42, 'the connection is refused');
    border.cut();
    await delay(2_000);
    border.open();
    const back = history.now();
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [history.now() - back] };
  },
};
