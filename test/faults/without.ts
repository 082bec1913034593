/**
 * Runs a row under its fault, with davit lacking a mechanism, until the checker sees the break or nothing
 * more can happen.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { check, type Invariant } from './checker.ts';
import { scope, type Scope } from './client.ts';
import { collect, sinks } from './final.ts';
import type { Recorded } from './history.ts';
import type { Mechanism } from './mechanisms.ts';
import { ROWS } from './rows/index.ts';
import type { World } from './world.ts';

/** After the row's end, for breaks that show only then. */
const AFTER_MS = 20_000;
const LIMIT_MS = 120_000;
const EVERY_MS = 200;

/**
 * Removes all of these mechanisms, runs their rows in parallel, and restores all. Result for each: undefined
 * if it broke what it must break, else what happened instead. The world is not healed.
 */
export async function without(
  world: World,
  mechanisms: readonly Mechanism[],
): Promise<(string | undefined)[]> {
  const backs: (() => Promise<void> | void)[] = [];
  try {
    for (const one of mechanisms) backs.push(await one.off(world));
    return await Promise.all(mechanisms.map((one) => untilBroken(world, one)));
  } finally {
    for (const border of world.borders.values()) border.disarm();
    for (const back of backs.reverse()) await back();
  }
}

async function untilBroken(
  world: World,
  { breaks, row: number, deadlineMs }: Mechanism,
): Promise<string | undefined> {
  const row = ROWS.find((one) => one.row === number);
  if (!row) return `there is no row ${number}`;
  const from = world.history.events.length;
  const over = new AbortController();
  const of: Scope = { signal: over.signal, deadlineMs, ids: new Set() };
  const ended: { outcome?: string; at: number } = { at: 0 };
  const running = scope
    .run(of, () => row.run(world))
    .then(
      () => 'as required',
      (error: unknown) => String(error),
    )
    .then((outcome) => Object.assign(ended, { outcome, at: performance.now() }));
  try {
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      await look(world, breaks, of);
      if (isBroken(world, { from, breaks, outcome: ended.outcome })) return undefined;
      const late = ended.outcome !== undefined && performance.now() > ended.at + AFTER_MS;
      if (late || performance.now() > end) return `${breaks} holds; row ${number}: ${ended.outcome}`;
      await delay(EVERY_MS);
    }
  } finally {
    over.abort();
    await running;
  }
}

function isBroken(
  { history }: World,
  { from, breaks, outcome }: { from: number; breaks: Mechanism['breaks']; outcome?: string },
): boolean {
  if (breaks === 'row') return outcome?.startsWith('Break') === true;
  const now = history.now();
  // An open pipeline is a break only after its deadline.
  const isOpen = (event: Recorded): boolean => event.type === 'pipeline' && event.at + event.deadlineMs > now;
  const events = history.events.slice(from);
  return check(breaks === 'I5' ? events.filter((event) => !isOpen(event)) : events).some(
    (one) => one.invariant === breaks,
  );
}

/** Requests what this invariant needs and the row itself does not request. */
async function look(world: World, breaks: Invariant | 'row', { ids }: Scope): Promise<void> {
  const { client } = world;
  if (breaks === 'I1') for (const { id, sha } of await client.listed('hook')) client.track(id, sha);
  if (breaks === 'I3')
    for (const id of ids)
      if (client.tracked.get(id)?.ended !== undefined) {
        await collect(world, id);
        ids.delete(id);
      }
  if (breaks === 'I6') await sinks(world);
  if (breaks === 'I7') for (const id of ids) await client.status(id);
}
