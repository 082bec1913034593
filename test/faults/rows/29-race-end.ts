import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, jobOf, note, type Row } from './row.ts';

const EXPIRES_MS = 1_500;
/**
 * An approval coincides with the expiry of its gate, and with a cancel: one outcome, and no given up job runs
 * again.
 */
export const raceEnd: Row = {
  row: 29,
  fault: 'approve races gate timeout, and cancel',
  moment: 'gate',
  calm: true,
  async run(world) {
    const { client, history, random } = world;
    const file = countFile(3, 0.2, `  when: manual\n  gate: { expires_in: ${EXPIRES_MS / 1_000}s }\n`);
    const recoveryMs: number[] = [];
    for (const against of ['timeout', 'cancel'] as const) {
      const id = await client.start(world.project(29), file);
      const { jobs } = await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate');
      const left = (jobs[0]?.gate?.expiresAt ?? 0) - Date.now();
      if (against === 'timeout') await delay(Math.max(0, left - 40 + random.below(60)));
      note(world, 29, `an approval of ${id} against its ${against}`);
      const from = history.now();
      const [approval] = await Promise.all([
        client.decide(id, 'count', 'play'),
        against === 'cancel' ? client.cancel(id) : undefined,
      ]);
      const status = await client.verdict(id);
      recoveryMs.push(history.now() - from);
      const job = jobOf(status, 'count');
      const fine = ['succeeded', 'expired', 'cancelled'].some((outcome) => outcome === job.outcome);
      expectThat(fine, 'an end that is none of the two', job);
      expectThat(
        approval.answer !== 'refused' || job.outcome !== 'succeeded',
        'it ran without an approval',
        job,
      );
      await delay(300);
      const later = await client.status(id);
      expectThat(later?.state === status.state, 'its end has changed', later);
      const late = await client.decide(id, 'count', 'play');
      expectThat(late.code === 409, 'an approval that comes after the end is not told so', late);
      expectThat((await client.status(id))?.state === status.state, 'a late approval has changed its end');
    }
    return { recoveryMs };
  },
};
