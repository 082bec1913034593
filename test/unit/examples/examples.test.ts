import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile, problemText, type CompiledJob } from '../../../src/compiler/compile.ts';
import { ROOT } from '../../support/source.ts';
import { request, type Overrides } from '../compiler/helpers.ts';

function jobsOf(slug: string, more: Overrides = {}): Map<string, CompiledJob> {
  const text = readFileSync(join(ROOT, 'examples', slug, '.gitlab-ci.yml'), 'utf8');
  const answer = compile(request(text, { project: { slug }, targets: ['local-swarm'], ...more }));
  if (answer.kind !== 'plan')
    throw new Error(answer.kind === 'invalid' ? answer.problems.map(problemText).join('\n') : answer.reason);
  expect(answer.warnings.filter((one) => one.code !== 'language/no-worker').map(problemText)).toEqual([]);
  return new Map(answer.jobs.map((one) => [one.job.key, one]));
}

describe('the example pipelines', () => {
  test('base: one fetch, a build an architecture, one tag', () => {
    const jobs = jobsOf('base');
    expect([...jobs.keys()]).toEqual(['fetch', 'build: [arm32]', 'build: [arm64]', 'build: [amd64]', 'push']);
    expect(jobs.get('push')?.spec).toMatchObject({ repository: '127.0.0.1:5000/base', tags: ['1'] });
    expect(jobs.get('build: [arm32]')?.job).toMatchObject({ queue: 'arm32', artifactsFrom: ['fetch'] });
  });

  test('table: tested on each architecture, one tag without an architecture, a gate, a deployment', () => {
    const jobs = jobsOf('table');
    expect([...jobs.keys()]).toEqual([
      'unit',
      'build: [arm32]',
      'build: [arm64]',
      'build: [amd64]',
      'apitest: [arm32]',
      'apitest: [arm64]',
      'apitest: [amd64]',
      'push',
      'deploy',
    ]);
    expect(jobs.get('apitest: [arm64]')?.job).toMatchObject({
      queue: 'arm64',
      imagesFrom: ['build: [arm64]'],
    });
    expect(jobs.get('push')?.spec).toMatchObject({ repository: '127.0.0.1:5000/table', tags: ['1.0.0'] });
    expect(jobs.get('deploy')?.job).toMatchObject({
      queue: 'deploy-local-swarm',
      target: 'local-swarm',
      gate: { requires: [] },
    });
    expect(jobs.get('deploy')?.spec).toMatchObject({
      environment: { name: 'local-swarm', url: 'http://127.0.0.1:8090' },
      swarm: {
        endpointMode: 'dnsrr',
        publish: [{ published: 8090, target: 8080, mode: 'host' }],
        update: { order: 'stop-first', onFailure: 'rollback' },
        convergeTimeoutMs: 180_000,
      },
    });
  });
});

describe('example pipelines for GitLab', () => {
  test('classic-docker: the image goes from job to job as an artifact, on machines of its architecture', () => {
    const jobs = jobsOf('classic-docker');
    expect([...jobs.keys()]).toEqual([
      'unit',
      'build:arm32',
      'build:amd64',
      'apitest:arm32',
      'apitest:amd64',
      'push:arm32',
      'push:amd64',
    ]);
    expect(jobs.get('push:arm32')?.job).toMatchObject({ queue: 'arm32', artifactsFrom: ['build:arm32'] });
  });

  test('classic-deploy: only a change of the application starts it; scans may fail; production is by hand', () => {
    const jobs = jobsOf('classic-deploy', {
      trigger: { before: 'f'.repeat(40) },
      changed: { '': ['www/a/b'] },
    });
    expect(jobs.get('scan:files')?.job).toMatchObject({ allowFailure: true });
    expect(jobs.get('deploy:production')?.job).toMatchObject({
      when: 'manual',
      allowFailure: true,
      environment: { name: 'production', url: 'http://127.0.0.1:8092' },
    });
    const text = readFileSync(join(ROOT, 'examples', 'classic-deploy', '.gitlab-ci.yml'), 'utf8');
    const other = { trigger: { before: 'f'.repeat(40) }, changed: { '': ['README.md', 'scripts/scan.sh'] } };
    expect(compile(request(text, other)).kind).toBe('empty');
  });

  test('side-by-side: each pipeline has its own environment, its stub is fed by the default branch', () => {
    const jobs = jobsOf('side-by-side');
    expect(jobs.get('review')?.job).toMatchObject({
      environment: { name: 'review/main-1007', onStop: 'review:stop', autoStopInMs: 3_600_000 },
      foreign: [{ project: 'side-by-side', job: 'answers', ref: 'main' }],
    });
    expect(jobs.get('review:stop')?.job).toMatchObject({ when: 'always', environment: { action: 'stop' } });
  });
});
