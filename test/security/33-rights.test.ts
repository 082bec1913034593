/** Rows 33 and 44: only the file of a worker gives rights to jobs, for the refs that it names, and never to forks. */
import { describe, expect, test } from 'vitest';
import {
  isPrivilegedService,
  jobRights,
  limitsOf,
  mustHaveRights,
} from '../../activities/job/context/rights.ts';
import { parseWorkerConfig } from '../../src/compiler/installation-file.ts';
import { DavitError } from '../../src/errors.ts';
import type { WorkerConfig } from '../../src/installation.ts';
import type { ApitestSpec } from '../../src/plan/model/spec.ts';

function worker(text = ''): { config: WorkerConfig; hostName: string } {
  const parsed = parseWorkerConfig(text, 'worker.yml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return { config: parsed.value, hostName: 'board' };
}
const main = { fork: false, protectedRef: true, project: 'table' };
const branch = { ...main, protectedRef: false };
/** A ref of a fork may have the name of a protected one. */
const fork = { ...main, fork: true };

/** As the compiler makes it of `apitest: {network: host}`; only these fields are read. */
const apitest = (trust: typeof main, network: 'host' | 'job' = 'host'): ApitestSpec =>
  Object.assign(Object.create(null), { kind: 'apitest', network, ...trust });
const refusal = (text: string, trust: typeof main, tags: string[] = []): string | undefined => {
  try {
    mustHaveRights(apitest(trust, tags.length > 0 ? 'job' : 'host'), tags, worker(text));
    return undefined;
  } catch (error) {
    return error instanceof DavitError ? error.code : 'another error';
  }
};

describe.each([
  ['', [false, false, false]],
  ['host_network: protected', [true, false, false]],
  ['host_network: true', [true, false, false]],
  ['host_network: branches', [true, true, false]],
])('the network of the machine with "%s"', (text, given) => {
  test.each([main, branch, fork].map((trust, at) => [trust, given[at]] as const))('%j: %s', (trust, has) => {
    expect(refusal(text, trust)).toBe(has ? undefined : 'job/right');
  });
});

describe.each([
  ['devices: {gpio: [/dev/gpiochip0]}', [true, false, false]],
  ['devices: {gpio: {paths: [/dev/gpiochip0]}}', [true, false, false]],
  ['devices: {gpio: {paths: [/dev/gpiochip0], refs: branches}}', [true, true, false]],
])('devices with "%s"', (text, given) => {
  test.each([main, branch, fork].map((trust, at) => [trust, given[at]] as const))('%j: %s', (trust, has) => {
    expect(refusal(text, trust, ['gpio'])).toBe(has ? undefined : 'job/right');
    const { devices } = jobRights(trust, ['gpio', 'other'], worker(text).config);
    expect(devices).toEqual(has ? ['/dev/gpiochip0'] : undefined);
  });
});

test.each([
  ['engine_socket: [table]', [true, false, false]],
  ['engine_socket: {projects: [table], refs: branches}', [true, true, false]],
  ['engine_socket: {projects: [other], refs: branches}', [false, false, false]],
])('the socket of the engine with "%s"', (text, given) => {
  const has = [main, branch, fork].map((trust) => jobRights(trust, [], worker(text).config));
  expect(has.map(({ bindEngineSocket }) => bindEngineSocket === true)).toEqual(given);
});

test.each([
  ['', [false, false, false]],
  ['privileged_services: true', [true, false, false]],
  ['privileged_services: branches', [true, true, false]],
])('privileged services with "%s"', (text, given) => {
  expect([main, branch, fork].map((trust) => isPrivilegedService(trust, worker(text).config))).toEqual(given);
});

test('a job without rights has no device and no socket', () => {
  expect(jobRights(main, ['gpio'], worker().config)).toEqual({});
});

describe('limits', () => {
  test('processes are limited by default, and rights cannot be gained in a fork', () => {
    expect(limitsOf(main, worker().config)).toEqual({ pids: 4_096 });
    expect(limitsOf(fork, worker().config)).toEqual({ pids: 4_096, noNewPrivileges: true });
    expect(limitsOf(main, worker('no_new_privileges: true').config)).toMatchObject({ noNewPrivileges: true });
  });

  test('a job gets less where it asks for less, and never more than its worker allows', () => {
    const { config } = worker('{memory: 1000000000, cpus: 2, pids: 100}');
    expect(limitsOf(main, config)).toEqual({ memoryBytes: 1e9, cpus: 2, pids: 100 });
    expect(limitsOf(main, config, { memoryBytes: 5e8, cpus: 0.5 })).toMatchObject({
      memoryBytes: 5e8,
      cpus: 0.5,
    });
    expect(limitsOf(main, config, { memoryBytes: 5e9, cpus: 64 })).toMatchObject({
      memoryBytes: 1e9,
      cpus: 2,
    });
    expect(limitsOf(main, worker().config, { cpus: 64 })).toMatchObject({ cpus: 64 });
  });
});

test('a right that a worker does not know is a mistake of its file', () => {
  expect(parseWorkerConfig('host_network: forks', 'worker.yml').ok).toBe(false);
  expect(parseWorkerConfig('devices: {gpio: {paths: [/dev/x], refs: none}}', 'worker.yml').ok).toBe(false);
});
