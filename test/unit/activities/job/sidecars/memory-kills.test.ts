import { expect, test } from 'vitest';
import type { Job } from '../../../../../activities/job/context/job.ts';
import type { Verdict } from '../../../../../activities/job/container/verdict.ts';
import { withMemoryKills } from '../../../../../activities/job/sidecars/memory-kills.ts';

const script: Verdict = { outcome: 'failed', kind: 'script', exitCode: 1, message: 'exit code 1' };

/** A job with two services, and what the engine says about their containers. */
const job = (killed: Record<string, boolean>, spec: object = { kind: 'job' }): Job => {
  const inspectContainer = async (name: string): Promise<object | undefined> => {
    if (name.endsWith('-svc-2')) throw new Error('the engine is away');
    return name in killed ? { oomKilled: killed[name] } : undefined;
  };
  const services = [{ name: 'postgres:16' }, { name: 'redis:7' }, { name: 'away:1' }];
  // The function asks nothing else of a job.
  return {
    name: 'at',
    spec: { services, ...spec },
    deps: { engine: { inspectContainer } },
  } as unknown as Job;
};

test('a service that was killed for its memory is named in the result of the script', async () => {
  expect(await withMemoryKills(job({ 'at-svc-0': true, 'at-svc-1': false }), script)).toEqual({
    ...script,
    kind: 'out_of_memory',
    message: 'exit code 1; killed beside it: out of memory: the service postgres:16',
  });
  const tested = job({ 'at-tested': true }, { kind: 'apitest', host: 'app' });
  expect((await withMemoryKills(tested, script)).message).toContain('the tested image (app)');
});

test('nothing is said of services that were not, of a success, and of a failure that has another cause', async () => {
  expect(await withMemoryKills(job({ 'at-svc-0': false }), script)).toEqual(script);
  for (const verdict of [
    { outcome: 'succeeded', exitCode: 0 },
    { outcome: 'failed', kind: 'config', message: 'no shell' },
    { outcome: 'errored', kind: 'engine', message: 'stopped' },
  ] as Verdict[])
    expect(await withMemoryKills(job({ 'at-svc-0': true }), verdict)).toEqual(verdict);
});
