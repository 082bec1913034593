/**
 * Payloads that workers and servers of earlier versions have stored in histories are read by today's
 * activities and views.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeClaimPipeline } from '../../../activities/pipeline/claim-pipeline.ts';
import type { ClaimInput } from '../../../activities/contract.ts';
import { makeFindRecord, makeRecordPipeline } from '../../../activities/pipeline/record-pipeline.ts';
import { statusText } from '../../../src/cli/view/status-view.ts';
import { emptyMemory, lateness, pushedHeads, knownTrigger } from '../../../src/plan/policy/memory.ts';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../../src/plan/model/records.ts';
import type { Trigger } from '../../../src/plan/model/trigger.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';

interface Payloads {
  payloads?: { data: string }[];
}
interface Event {
  activityTaskScheduledEventAttributes?: { activityType: { name: string }; input?: Payloads };
  workflowExecutionSignaledEventAttributes?: { signalName: string; input?: Payloads };
}
const folder = join(import.meta.dirname, '..', '..', 'histories');
const events = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { events: Event[] }).events);
const first = (input: Payloads | undefined): unknown =>
  JSON.parse(Buffer.from(input?.payloads?.[0]?.data ?? 'bnVsbA==', 'base64').toString('utf8'));
const inputsOf = <T>(activity: string): T[] =>
  events
    .map((one) => one.activityTaskScheduledEventAttributes)
    .filter((one) => one?.activityType.name === activity)
    .map((one) => first(one?.input) as T);
const signals = <T>(name: string): T[] =>
  events
    .map((one) => one.workflowExecutionSignaledEventAttributes)
    .filter((one) => one?.signalName === name)
    .map((one) => first(one?.input) as T);

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

test('records of pipelines are kept, found and shown', async () => {
  // Histories of several recordings have the same names; for each name the latest end counts.
  const endOf = ({ record }: { record: PipelineRecord }): number => record.status.endedAt ?? 0;
  const inputs = inputsOf<{ record: PipelineRecord }>('recordPipeline').toSorted(
    (a, b) => endOf(a) - endOf(b),
  );
  expect(inputs.length).toBeGreaterThan(2);
  for (const input of inputs) {
    const { id, jobs } = input.record.status;
    const { record } = await makeRecordPipeline({ ...server.stores, facts: server.deps.facts() })(input);
    expect(await makeFindRecord(server.stores)({ id })).toMatchObject({
      record,
      trigger: { key: input.record.trigger.key },
    });
    const url = `/api/v1/pipelines/${id}`;
    const answer = await server.app.inject({ method: 'GET', url, headers: bearer(TOKENS.reader) });
    expect(answer.statusCode).toBe(200);
    const text = statusText(answer.json<PipelineStatus>(), { color: false, now: Date.now() });
    for (const { key } of jobs) expect(text).toContain(key);
  }
});

test('events and claims: new once, known afterwards', async () => {
  const triggers = signals<Trigger>('trigger');
  expect(triggers.length).toBeGreaterThan(2);
  for (const trigger of triggers) {
    expect(knownTrigger(emptyMemory(), trigger, 'arrives')).toBe('new');
    expect(lateness(emptyMemory(), trigger)).toBe('next');
  }
  const claim = makeClaimPipeline(server.stores);
  for (const input of inputsOf<ClaimInput>('claimPipeline')) {
    const made = await claim(input);
    expect(await claim(input)).toEqual(made);
    expect(await claim({ ...input, claimId: 'another' })).toEqual({ ...made, fresh: false });
  }
});

test('a memory from before the heads of events were stored', () => {
  const heads = [{ ref: 'branch:main', sha: 'b', before: 'a', pipeline: 'table/1' as const }];
  expect(pushedHeads({ ...emptyMemory(), heads })).toEqual({ 'branch:main': 'b' });
});
