/** Every scenario of this folder, on a real Temporal server, in parallel. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { loadScenarios, play } from '../support/scenario.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

describe.concurrent('scenarios', () => {
  for (const [at, one] of loadScenarios(import.meta.dirname).entries())
    test(one.name, async () => {
      await play(world, one, `s${at}`);
    });
});
