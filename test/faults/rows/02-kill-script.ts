import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

/**
 * The running script is not restarted, and the added delay is under 3 s, or under 5 s after the worker's
 * return if it was away for longer than the heartbeat timeout.
 */
const DELAY_MS = 3_000;
const DELAY_AWAY_MS = 5_000;
/** Time that a busy machine of two cores adds to the start of a process. */
export const SLACK_MS = 4_000;
const LINES = 40;

export const killScript: Row = {
  row: 2,
  fault: 'kill -9 worker, started again',
  moment: 'script running',
  lane: 'arch',
  async run(world) {
    const { client, processes } = world;
    const id = await client.start(world.project(2), countFile(LINES, 4));
    await client.untilLogged(id, 'count', `line-${3 + world.random.below(10)}\n`);
    note(world, 2, `kill -9 of the worker of ${id}`);
    await processes.arch.end('SIGKILL');
    await processes.arch.start();
    const back = world.history.now();
    const status = await client.when(id, 'resumed', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
    const recovery = world.history.now() - back;
    expectThat(
      recovery < DELAY_MS + SLACK_MS,
      `resumed only ${Math.round(recovery)} ms after the worker was back`,
    );
    expectThat(jobOf(status, 'count').attempt === 1, 'an attempt was used up');
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [recovery] };
  },
};

/** The container continues, although Temporal has closed the dispatch that started it. */
export const killScriptAway: Row = {
  row: 2,
  fault: 'kill -9 worker, away for longer than the heartbeat timeout',
  moment: 'script running',
  long: true,
  async run(world) {
    const { client, processes, profile, history } = world;
    const awayMs = profile.heartbeatMs + 1_500;
    const lines = LINES + 20;
    const id = await client.start(world.project(2), countFile(lines, awayMs / 1_000 + 6));
    await client.untilLogged(id, 'count', 'line-3\n');
    note(world, 2, `kill -9 of the worker of ${id}, for ${awayMs} ms`);
    await processes.arch.end('SIGKILL');
    // Without its server nothing tells that Temporal has closed the dispatch.
    if (world.shape === 'one-process') await delay(awayMs);
    else await client.when(id, 'its try closed', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
    await processes.arch.start();
    const back = history.now();
    const seen = history.events.length;
    await client.until('its log goes on', profile.waitMs, () =>
      history.events
        .slice(seen)
        .some((event) => event.type === 'write' && event.pipeline === id && event.answer === 'ok')
        ? true
        : undefined,
    );
    const recovery = history.now() - back;
    expectThat(
      recovery < DELAY_AWAY_MS + SLACK_MS,
      `resumed only ${Math.round(recovery)} ms after the worker was back`,
    );
    const status = await client.verdict(id);
    expectWhole(world, status, lines);
    return { recoveryMs: [recovery] };
  },
};
