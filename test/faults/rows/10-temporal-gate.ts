import { setTimeout as delay } from 'node:timers/promises';
import type { World } from '../world.ts';
import { countFile, expectThat, expectWhole, note, GATED, type Row } from './row.ts';

/** Within 3 s on an idle machine; a call that is not abandoned ends by its own deadline of 10 s. */
const TOLD_MS = 8_000;

/**
 * No approval is accepted while Temporal, or its database, is down; afterwards the gate is still open, with
 * the same deadline.
 */
export const temporalGate: Row = {
  row: 10,
  fault: 'kill -9 Temporal, started again',
  moment: 'gate waiting',
  async run(world) {
    const { processes, postgres } = world;
    const recoveryMs = [await gateOutlives(world, processes.temporal, 'Temporal')];
    if (postgres) recoveryMs.push(await gateOutlives(world, postgres, 'PostgreSQL'));
    return { recoveryMs };
  },
};

async function gateOutlives(
  world: World,
  process: World['processes']['temporal'],
  name: string,
): Promise<number> {
  const { client, history, profile } = world;
  const id = await client.start(world.project(10), countFile(5, 0.5, GATED));
  const before = await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
  note(world, 10, `kill -9 of ${name} while the gate of ${id} waits`);
  await process.end('SIGKILL');
  const asked = history.now();
  const refused = await client.decide(id, 'count', 'play');
  const waited = history.now() - asked;
  expectThat(waited < TOLD_MS, `an approval without ${name} is answered after ${Math.round(waited)} ms`);
  expectThat(refused.code === 503, `an approval without ${name} is not answered by 503`, refused);
  await delay(profile.temporalAwayMs);
  await process.start();
  const back = history.now();
  const after = await client.when(id, 'its gate again', (one) => one.jobs[0]?.phase === 'gate');
  const recovery = history.now() - back;
  const [was, is] = [before, after].map((status) => status.jobs[0]?.gate?.expiresAt);
  expectThat(was === is, 'the gate has another deadline', after);
  await client.until('an approval that is taken', profile.waitMs, async () => {
    const sent = await client.decide(id, 'count', 'play');
    return sent.answer === 'ok' || sent.code === 409 ? sent : undefined;
  });
  expectWhole(world, await client.verdict(id), 5);
  return recovery;
}
