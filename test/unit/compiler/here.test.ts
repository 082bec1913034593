/** `davit run` on one machine: jobs run in spite of tags that it lacks, and missing images have a default. */
import { describe, expect, test } from 'vitest';
import type { WorkerReport } from '../../../src/plan/model/queues.ts';
import { job, run } from './helpers.ts';

const worker = (hostId: string, ...tags: string[]): WorkerReport => ({
  id: hostId,
  hostId,
  hostName: hostId,
  arches: ['amd64'],
  emulated: [],
  tags,
  targets: [],
  deviceTags: [],
  slots: 1,
  version: '1',
  seenAt: 0,
});
const here = { source: 'cli', here: true } as const;
const FILE = 'j: {image: x, script: x, tags: [docker, shell]}';
const warnings = (fleet: WorkerReport[], trigger: object): string[] => {
  const answer = run(FILE, { fleet, trigger });
  return answer.kind === 'plan' ? answer.warnings.map((one) => one.message) : [answer.kind];
};

describe('tags that this machine does not have', () => {
  test('run here, with a warning, the others stay', () => {
    const compiled = job(FILE, 'j', { fleet: [worker('a', 'shell')], trigger: here });
    expect(compiled.job).toMatchObject({ queue: 'tag-shell', tags: ['shell'] });
    expect(compiled.job.missingTags).toBeUndefined();
    expect(warnings([worker('a', 'shell')], here)).toEqual([
      'no worker has the tag docker: "j" runs on this machine',
    ]);
    expect(job(FILE, 'j', { fleet: [worker('a')], trigger: here }).job.queue).toBe('amd64');
    expect(warnings([worker('a')], here)).toEqual([
      'no worker has the tags docker, shell: "j" runs on this machine',
    ]);
  });
  test('a worker for deployments is not another machine', () => {
    const deploys = { ...worker('deploy-swarm'), arches: [], targets: ['swarm'] };
    expect(job(FILE, 'j', { fleet: [worker('a'), deploys], trigger: here }).job.queue).toBe('amd64');
  });
  test('wait if there is another machine, or the pipeline is started in another way', () => {
    const waits = 'no worker currently has the tag docker, so "j" will wait';
    expect(warnings([worker('a', 'shell'), worker('b')], here)).toEqual([waits]);
    expect(warnings([worker('a', 'shell')], { source: 'cli' })).toEqual([waits]);
    expect(warnings([worker('a', 'shell')], { source: 'push', here: true })).toEqual([waits]);
  });
  test('letter case counts', () => {
    const compiled = job('j: {image: x, script: x, tags: [Docker]}', 'j', { fleet: [worker('a', 'docker')] });
    expect(compiled.job.missingTags).toEqual(['Docker']);
  });
  test('architectures and deploy targets are not such tags', () => {
    const text = 'j: {image: x, script: x, tags: [arm64, tablemaster]}';
    expect(job(text, 'j', { fleet: [worker('a')], trigger: here }).job.tags).toEqual([
      'arm64',
      'tablemaster',
    ]);
  });
});

test('default_image applies to jobs without an image, and to no others', () => {
  const text = 'a: {script: x}\nb: {image: own, script: x}';
  const image = (key: string): unknown => {
    const { spec } = job(text, key, { defaultImage: 'ours:1' });
    return spec.kind === 'script' ? spec.image.name : undefined;
  };
  expect([image('a'), image('b')]).toEqual(['ours:1', 'own']);
});
