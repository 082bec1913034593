/** The log of an attempt without a container: builds, pushes, deployments. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { type AttemptLog, openAttemptLog } from '../../../../../activities/runtime/log/plain-log.ts';
import { maskAutomaton, maskPatterns } from '../../../../../src/masking/index.ts';
import { OWN_LINE } from '../../../../../src/plan/model/log-mark.ts';
import { MemoryLogs } from '../../../../support/job-stores.ts';

const REF = { pipeline: 'demo/1', job: 'build', jobId: 7, attempt: 1, epoch: 1 } as const;
const SECRET = 'correct-horse-battery';
const automaton = maskAutomaton(maskPatterns([SECRET]));
const withLog = <T>(
  logs: MemoryLogs,
  work: (log: AttemptLog) => Promise<T>,
  { epoch = 1, maxBytes = 10_000 } = {},
): Promise<T> =>
  new MockActivityEnvironment().run(async () =>
    work(await openAttemptLog(logs, { ...REF, epoch }, { automaton, maxBytes })),
  );

test('is masked across the borders of writes, in order, and complete', async () => {
  const logs = new MemoryLogs();
  const summary = await withLog(logs, (log) => {
    log.write('token correct-ho');
    log.write('rse-battery\n');
    log.line('done');
    return log.end();
  });
  expect(logs.text(REF)).not.toContain(SECRET);
  expect(logs.text(REF)).toBe(`token [MASKED]\n${OWN_LINE}done\n`);
  expect(summary).toMatchObject({ complete: true, bytes: Buffer.byteLength(logs.text(REF)) });
});

test('a later dispatch appends to the log, and fences the earlier one', async () => {
  const logs = new MemoryLogs();
  await withLog(logs, async (first) => {
    first.line('first');
    await first.flush();
    const summary = await withLog(
      logs,
      (second) => {
        second.line('second');
        return second.end();
      },
      { epoch: 2 },
    );
    expect(summary.bytes).toBe(`${OWN_LINE}first\n${OWN_LINE}second\n`.length);
    first.line('late');
    await expect(first.flush()).rejects.toMatchObject({ code: 'log/fenced' });
  });
  expect(logs.text(REF)).toBe(`${OWN_LINE}first\n${OWN_LINE}second\n`);
});

test('an end that an earlier dispatch has written stays', async () => {
  const logs = new MemoryLogs();
  const first = await withLog(logs, (log) => {
    log.line('all of it');
    return log.end();
  });
  const again = await withLog(
    logs,
    (log) => {
      log.line('more');
      return log.end();
    },
    { epoch: 2 },
  );
  expect(again).toEqual(first);
  expect(logs.text(REF)).toBe(`${OWN_LINE}all of it\n`);
});

test('an unreachable store is waited for, and nothing is written twice', async () => {
  const logs = new MemoryLogs();
  const text = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join('');
  const summary = await withLog(
    logs,
    (log) => {
      logs.outages = 2;
      for (let from = 0; from < text.length; from += 999) log.write(text.slice(from, from + 999));
      return log.end();
    },
    { maxBytes: 1e9 },
  );
  expect(logs.text(REF)).toBe(text);
  expect(summary.complete).toBe(true);
});

test('output beyond the limit is dropped with the same message as in the log of a container', async () => {
  const logs = new MemoryLogs();
  const summary = await withLog(
    logs,
    (log) => {
      for (let count = 0; count < 10; count += 1) log.write('0123456789\n');
      return log.end();
    },
    { maxBytes: 25 },
  );
  expect(logs.text(REF).slice(0, 25)).toBe('0123456789\n0123456789\n012');
  expect(logs.text(REF)).toContain('The log has reached its limit of 25 bytes');
  expect(logs.text(REF).match(/limit/g)).toHaveLength(1);
  expect(summary.complete).toBe(false);
});
