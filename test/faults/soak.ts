/**
 * Many pipelines at once, and a fault every ten seconds, as the seed will have them: one at a time, healed before the next.
 * Unlike a row it waits for no outcome of its own: the checker judges the whole at the end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Break } from './client.ts';
import type { Line } from './report.ts';
import { atEffect, countFile, deployFile, EFFECTS, note, type EffectName } from './rows/row.ts';
import type { World } from './world.ts';

const EVERY_MS = 10_000;
const AT_ONCE = 5;
const LONGEST_AWAY_MS = 8_000;
const PIPELINE_MS = 240_000;
/** A moment that does not come in this time is let go. */
const MOMENT_MS = 6_000;

export interface Soak {
  pipelines: number;
  lines: Map<number, Line>;
  say(text: string): void;
  failed(text: string): void;
}

interface Nemesis {
  row: number;
  fault: string;
  /** Does it, and answers after how long it is over. */
  strike(world: World): Promise<number>;
}

const away = (world: World): number => 500 + world.random.below(LONGEST_AWAY_MS);
const kills = (name: 'arch' | 'control' | 'server' | 'deploy' | 'temporal', row: number): Nemesis => ({
  row,
  fault: `kill -9 ${name}`,
  async strike(world) {
    await world.processes[name].end('SIGKILL');
    return world.random.below(2) === 0 ? 0 : away(world);
  },
});
const terminates = (name: 'arch' | 'control' | 'server' | 'deploy'): Nemesis => ({
  row: 9,
  fault: 'SIGTERM of a process',
  async strike(world) {
    await world.processes[name].end('SIGTERM');
    return 0;
  },
});
const freezes = (name: 'arch' | 'deploy' | 'control'): Nemesis => ({
  row: 8,
  fault: 'SIGSTOP, then SIGCONT',
  async strike(world) {
    world.processes[name].freeze();
    return 2_000 + away(world);
  },
});
const cuts = (border: string, row: number, how: 'cut' | 'stall'): Nemesis => ({
  row,
  fault: `network ${how === 'cut' ? 'cut' : 'stalled'}, ${border}`,
  async strike(world) {
    world.border(border)[how]();
    return away(world);
  },
});
/** The process that does the effect dies on one side of it. */
const killAt = (effect: EffectName): Nemesis => ({
  row: { arch: 3, deploy: 5, server: 12, control: 4, engine: 4 }[partOf(effect)],
  fault: `kill -9 around ${effect}`,
  async strike(world) {
    const part = partOf(effect);
    const name = part === 'engine' ? 'arch' : part;
    const hook = atEffect(world, effect, {
      moment: world.random.pick(['before', 'after']),
      answer: 'drop',
      act: () => world.processes[name].end('SIGKILL'),
    });
    await Promise.race([hook.done, delay(MOMENT_MS)]);
    hook.disarm();
    return 0;
  },
});
const partOf = (effect: EffectName): 'arch' | 'deploy' | 'server' | 'control' | 'engine' =>
  EFFECTS[effect].border.split('>')[0] as 'arch';

const NEMESES: readonly Nemesis[] = [
  kills('arch', 2),
  kills('deploy', 5),
  kills('server', 24),
  kills('control', 11),
  kills('temporal', 11),
  terminates('arch'),
  terminates('control'),
  terminates('server'),
  terminates('deploy'),
  freezes('arch'),
  freezes('deploy'),
  freezes('control'),
  cuts('arch>temporal', 13, 'cut'),
  cuts('arch>temporal', 13, 'stall'),
  cuts('deploy>temporal', 13, 'cut'),
  cuts('control>temporal', 13, 'cut'),
  cuts('server>temporal', 12, 'stall'),
  cuts('arch>server', 14, 'cut'),
  cuts('arch>server', 14, 'stall'),
  cuts('arch>engine', 18, 'cut'),
  cuts('deploy>target', 18, 'cut'),
  ...(Object.keys(EFFECTS) as EffectName[])
    .filter((name) => !['manifest put', 'tag move', 'layer upload', 'update', 'detach by id'].includes(name))
    .map(killAt),
];

export async function soak(world: World, of: Soak): Promise<void> {
  const over = new AbortController();
  const faults = strikes(world, of, over.signal).catch((error: unknown) => {
    of.failed(`the faults ended: ${error instanceof Error ? error.message : String(error)}`);
  });
  let started = 0;
  let ended = 0;
  const work = async (slot: number): Promise<void> => {
    while (started < of.pipelines) {
      started += 1;
      await one(world, slot, started).catch((error: unknown) => {
        of.failed(error instanceof Error ? error.message : String(error));
      });
      ended += 1;
      if (ended % 25 === 0) of.say(`${ended} of ${of.pipelines} pipelines have ended`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, slot) => work(slot)));
  } finally {
    over.abort();
    await faults;
  }
}

/** A script that counts, or a deployment of one of a few services. Every one of them has to succeed, whatever happens. */
async function one(world: World, slot: number, number: number): Promise<void> {
  const { client, random } = world;
  const deploys = number % 5 === 0;
  const lines = 5 + random.below(40);
  const service = `soak-${random.below(2)}`;
  const file = deploys
    ? deployFile(world, service, String(number))
    : countFile(lines, 0.5 + random.next() * 4);
  const id = await client.start(deploys ? service : `soak-s${slot}`, file, { deadlineMs: PIPELINE_MS });
  const status = await client.verdict(id, PIPELINE_MS);
  // A deployment that a newer pipeline has overtaken is skipped, and says so.
  const overtaken = status.jobs.every((job) => job.outcome === 'skipped' && job.result?.kind === 'outdated');
  if (status.state !== 'success' && !(deploys && overtaken))
    throw new Break(
      `${id} is ${status.state}: ${JSON.stringify(status.jobs.map(({ key, result }) => ({ key, result })))}`,
    );
  const [job] = status.jobs;
  if (!deploys && job)
    world.history.add({
      type: 'lines',
      pipeline: id,
      job: job.key,
      attempt: job.attempt,
      prefix: 'line',
      count: lines,
    });
}

async function strikes(world: World, { lines, say }: Soak, over: AbortSignal): Promise<void> {
  const pause = (ms: number): Promise<unknown> =>
    delay(ms, undefined, { signal: over }).catch(() => undefined);
  await pause(2_000);
  while (!over.aborted) {
    const nemesis = world.random.pick(NEMESES);
    const from = performance.now();
    const line = lines.get(nemesis.row) ?? {
      row: { row: nemesis.row, fault: 'as below', moment: 'any' },
      injected: 0,
      failed: 0,
      recoveryMs: [],
    };
    line.row = {
      ...line.row,
      fault: [
        ...new Set([...line.row.fault.split('; ').filter((text) => text !== 'as below'), nemesis.fault]),
      ].join('; '),
    };
    lines.set(nemesis.row, line);
    line.injected += 1;
    note(world, nemesis.row, nemesis.fault);
    say(`${(world.history.now() / 1_000).toFixed(0)} s: ${nemesis.fault}`);
    await pause(await nemesis.strike(world));
    // What a fault has left of a connection may make one process fail to start; its supervisor starts it again.
    await world.heal().catch(() => world.heal());
    line.recoveryMs.push(await untilOneEnds(world, over));
    await pause(Math.max(0, EVERY_MS - (performance.now() - from)));
  }
}

/** Ms from now until a pipeline has ended: work goes on. */
async function untilOneEnds({ client }: World, over: AbortSignal): Promise<number> {
  const from = performance.now();
  const ended = (): number => [...client.tracked.values()].filter((one) => one.ended !== undefined).length;
  const before = ended();
  while (ended() === before && !over.aborted) await delay(50);
  return performance.now() - from;
}
