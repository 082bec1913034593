import { readFileSync } from 'node:fs';
import type { World } from '../world.ts';
import { expectThat, jobOf, note, type Row } from './row.ts';

const TICKS = 40;
const DELAY_MS = 5_000;
/** Additional memory of the worker: limits and backpressure hold whatever jobs write. */
const RSS_BYTES = 400 * 1_024 ** 2;
/** Other logs are read in time, no worker counts as lost, and a log that exceeds its limit reports that. */
export const logFlood: Row = {
  row: 38,
  fault: 'log flood',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, history, processes, profile } = world;
    const { jobs, seconds } = profile.flood;
    const base = Date.now() - history.now();
    const calm = await client.start(
      world.project(38),
      `ticks:\n  script: ['i=0; while [ $i -lt ${TICKS} ]; do echo "line-$i at $(date +%s)."; i=$((i+1)); sleep 0.2; done']\n`,
    );
    await client.untilLogged(calm, 'ticks', 'line-0 ');
    const before = rss(world);
    const from = history.now();
    const line = 'x'.repeat(200);
    const flood = Array.from(
      { length: jobs },
      (_, at) => `flood-${at}:\n  script: ['timeout ${seconds} yes ${line} || true', 'echo over']\n`,
    );
    note(world, 38, `${jobs} jobs write as fast as they can`);
    const id = await client.start(world.project(38), flood.join(''));
    let most = before;
    const look = setInterval(() => {
      most = Math.max(most, rss(world));
    }, 100);
    const [status, ticked] = await Promise.all([client.verdict(id, 300_000), client.verdict(calm)]).finally(
      () => clearInterval(look),
    );
    const recovery = history.now() - from;
    const late = worstDelay(world, calm, base);
    expectThat(late < DELAY_MS, `a line of another job came ${Math.round(late)} ms late`);
    expectThat(most - before < RSS_BYTES, `the worker grew from ${before} to ${most} bytes of memory`);
    expectThat(ticked.state === 'success', 'the other job failed', ticked);
    for (const { key } of status.jobs) {
      const { result, attempt, epoch } = jobOf(status, key);
      expectThat(result?.outcome === 'succeeded' && attempt === 1, `${key} is ${result?.outcome}`, result);
      expectThat(epoch === 1, `${key} was thought lost: epoch ${epoch}`);
      const log = await client.rawLog(id, key);
      expectThat(result?.log?.complete === false, `${key} has a log over its limit that says it is whole`);
      expectThat(
        log?.bytes.includes('has reached its limit of') === true &&
          log.bytes.length < profile.logBytes + 10_000,
        `${key} has a log of ${log?.bytes.length} bytes`,
      );
    }
    expectThat(processes.arch.running, 'the worker is gone');
    return { recoveryMs: [recovery] };
  },
};

const rss = ({ processes }: World): number => {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${processes.arch.pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1_024;
};

/**
 * Time from the second in which a line was written to its acknowledgement by the store, ms; the whole second
 * counts against it.
 */
function worstDelay({ history }: World, pipeline: string, base: number): number {
  let worst = 0;
  for (const event of history.events) {
    if (event.type !== 'write' || event.pipeline !== pipeline || event.answer !== 'ok') continue;
    for (const [, at] of (event.bytes ?? '').matchAll(/ at (\d+)\./g))
      worst = Math.max(worst, base + event.at - Number(at) * 1_000);
  }
  return worst;
}
