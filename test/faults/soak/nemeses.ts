/** The faults of a soak. Each strikes once and returns the time until it is to be healed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../history.ts';
import { atEffect, EFFECTS, type EffectName } from '../rows/row.ts';
import type { World } from '../world.ts';

const LONGEST_AWAY_MS = 8_000;
/** A moment that does not occur in this time is abandoned. */
const MOMENT_MS = 6_000;

export interface Nemesis {
  /** In the fault matrix. */
  row: number;
  fault: string;
  /** Causes the fault, and returns ms until it is over. */
  strike(world: World, random: Random): Promise<number>;
}

const away = (random: Random): number => 500 + random.below(LONGEST_AWAY_MS);
const kills = (
  name: 'arch' | 'board2' | 'control' | 'server' | 'deploy' | 'temporal',
  row: number,
): Nemesis => ({
  row,
  fault: `kill -9 ${name}`,
  async strike(world, random) {
    const ms = random.below(2) === 0 ? 0 : away(random);
    await world.processes[name].end('SIGKILL');
    return ms;
  },
});
const terminates = (name: 'arch' | 'board2' | 'control' | 'server' | 'deploy'): Nemesis => ({
  row: 9,
  fault: 'SIGTERM of a process',
  async strike(world) {
    await world.processes[name].end('SIGTERM');
    return 0;
  },
});
const freezes = (name: 'arch' | 'board2' | 'deploy' | 'control'): Nemesis => ({
  row: 8,
  fault: 'SIGSTOP, then SIGCONT',
  async strike(world, random) {
    world.processes[name].freeze();
    return 2_000 + away(random);
  },
});
const cuts = (row: number, how: 'cut' | 'stall', ...borders: string[]): Nemesis => ({
  row,
  fault: `network ${how === 'cut' ? 'cut' : 'stalled'}, ${borders.join(' and ')}`,
  async strike(world, random) {
    for (const border of borders) world.border(border)[how]();
    return away(random);
  },
});
const restarts = (signal: 'SIGTERM' | 'SIGKILL'): Nemesis => ({
  row: 15,
  fault: `dockerd ${signal === 'SIGTERM' ? 'restart' : 'kill -9'}`,
  async strike(world) {
    await world.restartEngine(world.engine, signal);
    return 0;
  },
});
/** The second machine's engine, whose containers outlive it. */
const restartsBoard = (signal: 'SIGTERM' | 'SIGKILL'): Nemesis => ({
  row: 16,
  fault: `dockerd ${signal === 'SIGTERM' ? 'restart' : 'kill -9'}, live-restore`,
  async strike(world) {
    if (world.board) await world.restartEngine(world.board, signal);
    return 0;
  },
});
/** The process that does the effect dies on one side of it. */
const killAt = (effect: EffectName): Nemesis => ({
  row: { arch: 3, deploy: 5, server: 12, control: 4, engine: 4 }[partOf(effect)],
  fault: `kill -9 around ${effect}`,
  async strike(world, random) {
    const part = partOf(effect);
    const name = part === 'engine' ? 'arch' : part;
    let came = false;
    const hook = atEffect(world, effect, {
      moment: random.pick(['before', 'after']),
      answer: 'drop',
      act: () => {
        came = true;
        return world.processes[name].end('SIGKILL');
      },
    });
    await Promise.race([hook.done, delay(MOMENT_MS)]);
    hook.disarm();
    // It may have occurred just now: healing before the process has ended would heal nothing.
    if (came) await hook.done;
    return 0;
  },
});
const partOf = (effect: EffectName): 'arch' | 'deploy' | 'server' | 'control' | 'engine' =>
  EFFECTS[effect].border.split('>')[0] as 'arch';

const NEMESES: readonly Nemesis[] = [
  kills('arch', 2),
  kills('board2', 2),
  kills('deploy', 5),
  kills('server', 24),
  kills('control', 11),
  kills('temporal', 11),
  terminates('arch'),
  terminates('board2'),
  terminates('control'),
  terminates('server'),
  terminates('deploy'),
  freezes('arch'),
  freezes('board2'),
  freezes('deploy'),
  freezes('control'),
  cuts(13, 'cut', 'arch>temporal'),
  cuts(13, 'stall', 'arch>temporal'),
  cuts(13, 'cut', 'deploy>temporal'),
  cuts(13, 'cut', 'control>temporal'),
  cuts(12, 'stall', 'server>temporal'),
  cuts(14, 'cut', 'arch>server'),
  cuts(14, 'stall', 'arch>server'),
  cuts(18, 'cut', 'arch>engine'),
  cuts(18, 'cut', 'board2>engine'),
  cuts(18, 'cut', 'deploy>target'),
  cuts(19, 'cut', 'engine>registry', 'control>registry'),
  restarts('SIGTERM'),
  restarts('SIGKILL'),
  restartsBoard('SIGTERM'),
  restartsBoard('SIGKILL'),
  // A detach by id comes only after another fault.
  ...(Object.keys(EFFECTS) as EffectName[]).filter((name) => name !== 'detach by id').map(killAt),
];

/** Only if Temporal's database is a process of its own. */
const ON_POSTGRES: readonly Nemesis[] = [
  {
    row: 11,
    fault: 'kill -9 PostgreSQL',
    async strike(world, random) {
      const ms = random.below(2) === 0 ? 0 : away(random);
      await world.postgres?.end('SIGKILL');
      return ms;
    },
  },
  {
    row: 11,
    fault: 'kill -9 temporal and PostgreSQL',
    async strike(world, random) {
      await world.temporalDies();
      return away(random);
    },
  },
];

/**
 * All of them before one repeats, in an order chosen by the seed; those of PostgreSQL first, so that a short
 * soak has them.
 */
export function* nemeses(random: Random, postgres: boolean): Generator<Nemesis, never> {
  if (postgres) yield* ON_POSTGRES;
  const all = postgres ? [...NEMESES, ...ON_POSTGRES] : NEMESES;
  for (let left = [...all]; ; left = left.length > 0 ? left : [...all]) {
    const next = random.pick(left);
    left.splice(left.indexOf(next), 1);
    yield next;
  }
}
