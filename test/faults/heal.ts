/** Restores a world: processes up, borders open. */
import { PARTS, SPARES, type PartName } from './parts.ts';
import type { Lane, World } from './world.ts';

export async function healAll(world: World): Promise<void> {
  for (const border of world.borders.values()) border.open();
  await Promise.all([world.engine.up(), world.board?.up()]);
  for (const process of Object.values(world.processes)) if (process.frozen) process.thaw();
  await world.temporalStarts();
  await world.processes.server.start();
  const needed: readonly PartName[] = world.board ? [...PARTS, 'board2'] : PARTS;
  await Promise.all(needed.map((name) => world.processes[name].start()));
  // Their work goes to the others.
  const spare = SPARES.filter((name) => !needed.includes(name));
  await Promise.all(spare.map((name) => world.processes[name].end('SIGTERM')));
}

/** Only what rows of this lane kill and disconnect: others run at the same time. */
export async function healLane(world: World, lane: Lane): Promise<void> {
  for (const [name, border] of world.borders) if (name.startsWith(`${lane}>`)) border.open();
  const process = world.processes[lane];
  if (process.frozen) process.thaw();
  await process.start();
  if (lane === 'arch') await world.processes.arch2.end('SIGTERM');
  else await world.processes.deploy2.end('SIGTERM');
}
