/**
 * Many pipelines at once, on two machines, and a fault every ten seconds, chosen by the seed: one at a time,
 * healed before the next. Unlike a row it expects no outcome of its own: the checker judges the whole at the
 * end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { randomOf } from './history.ts';
import type { Line } from './report.ts';
import { note } from './rows/row.ts';
import { kindOf, turnOf } from './soak/kinds.ts';
import { nemeses } from './soak/nemeses.ts';
import type { World } from './world.ts';
import { messageOf } from '../../src/utils/message.ts';

const EVERY_MS = 10_000;
const AT_ONCE = 6;
const HEAL_MS = 10_000;

export interface Soak {
  pipelines: number;
  lines: Map<string, Line>;
  say(text: string): void;
  failed(text: string): void;
}

export async function soak(world: World, of: Soak): Promise<void> {
  await world.addBoard();
  const over = new AbortController();
  const faults = strikes(world, of, over.signal).catch((error: unknown) => {
    of.failed(`the faults ended: ${messageOf(error)}`);
  });
  let number = 0;
  let told = 0;
  const work = async (slot: number): Promise<void> => {
    while (world.client.tracked.size < of.pipelines) {
      number += 1;
      const turn = turnOf(world, slot, number);
      await kindOf(number)(turn).catch((error: unknown) => {
        of.say(`pipeline ${turn.number}: ${String(error)}`);
        of.failed(messageOf(error));
      });
      const ended = [...world.client.tracked.values()].filter((one) => one.ended !== undefined).length;
      if (ended < told + 25) continue;
      told = ended;
      of.say(`${ended} of ${of.pipelines} pipelines have ended`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, slot) => work(slot)));
  } finally {
    over.abort();
    await faults;
  }
}

async function strikes(world: World, { lines, say }: Soak, over: AbortSignal): Promise<void> {
  const pause = (ms: number): Promise<unknown> =>
    delay(ms, undefined, { signal: over }).catch(() => undefined);
  const random = randomOf(world.seed);
  const next = nemeses(random, world.postgres !== undefined);
  await pause(2_000);
  while (!over.aborted) {
    const nemesis = next.next().value;
    const from = performance.now();
    const line = lineOf(lines, nemesis);
    line.injected += 1;
    note(world, nemesis.row, nemesis.fault);
    say(`${(world.history.now() / 1_000).toFixed(0)} s: ${nemesis.fault}`);
    const ms = await nemesis.strike(world, random).catch((error: unknown) => {
      say(`not as meant: ${String(error)}`);
      return 0;
    });
    await pause(ms);
    // A connection broken by a fault may make a process fail to start; its supervisor restarts it.
    await world.heal().catch(() => world.heal());
    line.recoveryMs.push(await untilOneEnds(world, over));
    await pause(Math.max(0, EVERY_MS - (performance.now() - from)));
  }
}

function lineOf(lines: Map<string, Line>, { row, fault }: { row: number; fault: string }): Line {
  const line = lines.get(String(row)) ?? {
    row: { row, fault, moment: 'any' },
    injected: 0,
    failed: 0,
    recoveryMs: [],
  };
  line.row = { ...line.row, fault: [...new Set([...line.row.fault.split('; '), fault])].join('; ') };
  lines.set(String(row), line);
  return line;
}

/**
 * Waits until a pipeline has ended, in ms from now. Processes that die are restarted meanwhile, as always.
 */
async function untilOneEnds(world: World, over: AbortSignal): Promise<number> {
  const { client } = world;
  const from = performance.now();
  let healed = from;
  const ended = (): number => [...client.tracked.values()].filter((one) => one.ended !== undefined).length;
  const before = ended();
  while (ended() === before && !over.aborted) {
    await delay(50);
    if (performance.now() - healed < HEAL_MS) continue;
    healed = performance.now();
    await world.heal();
  }
  return performance.now() - from;
}
