/** The log of an attempt whose machine was given up. */
import { crc32 } from 'node:zlib';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { makeCloseLog } from '../../../../activities/pipeline/close-log.ts';
import type { LogSummary } from '../../../../src/plan/model/outcome.ts';
import { MemoryLogs } from '../../../support/job-stores.ts';

const REF = { pipeline: 'demo/1', job: 'test', jobId: 7, attempt: 1, epoch: 3 } as const;
const TEXT = 'Machine h1 stayed away past its grace.';
const close = (logs: MemoryLogs): Promise<LogSummary> =>
  new MockActivityEnvironment().run(makeCloseLog({ logs }), { ref: REF, text: TEXT });
async function written(text: string): Promise<MemoryLogs> {
  const logs = new MemoryLogs();
  await logs.open(REF, 1);
  await logs.append(REF, { epoch: 1, offset: 0, bytes: Buffer.from(text) });
  return logs;
}

test('it ends as incomplete, with the reason, and refuses later writes', async () => {
  const logs = await written('line 1\nlin');
  const summary = await close(logs);
  const text = logs.text(REF);
  expect(text).toMatch(/^line 1\nlin\n.*Machine h1 stayed away past its grace\..*\n$/);
  const crc = crc32(text).toString(16).padStart(8, '0');
  expect(summary).toEqual({ bytes: Buffer.byteLength(text), crc, complete: false });
  const late = logs.append(REF, { epoch: 1, offset: 10, bytes: Buffer.from('e 2\n') });
  await expect(late).rejects.toMatchObject({ code: 'log/fenced' });
});

test('an empty log contains the reason as well', async () => {
  const logs = new MemoryLogs();
  await close(logs);
  expect(logs.text(REF)).toContain(TEXT);
});

test('an existing end stays: its result was lost, its log was not', async () => {
  const logs = await written('all of it\n');
  const ended = { bytes: 10, crc: 'abcdef01', complete: true };
  await logs.end(REF, { epoch: 1, summary: ended });
  expect(await close(logs)).toEqual(ended);
  expect(logs.text(REF)).toBe('all of it\n');
});

test('retried after an outage, it writes the line once', async () => {
  const logs = await written('line 1\n');
  logs.onAppend = () => {
    logs.outages = 1;
  };
  await close(logs);
  expect(logs.text(REF).match(/stayed away/g)).toHaveLength(1);
});
