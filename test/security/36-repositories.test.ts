/** Rows 36 and 37: where a pipeline may push, and that what protected refs rely on has repositories of its own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheTags } from '../../activities/image/build-cache.ts';
import { cacheRepository, pipelineRepository, pushRefusal } from '../../src/match/project-repositories.ts';
import type { BuildSpec, PushSpec } from '../../src/plan/model/spec.ts';
import { control, makeRepository, pushOf, type Repository } from './world.ts';

const HOST = '127.0.0.1:5000';
const file = (to: string, tags = '[a]'): string => `
stages: [build, ship]
img: {stage: build, build: {context: ., to: "${to}"}, rules: [{when: always}]}
tags: {stage: ship, push: {from: [img], to: "${to}", tags: ${tags}}, rules: [{when: always}]}
`;
let repository: Repository;
beforeAll(async () => {
  repository = await makeRepository(file('$CI_REGISTRY_IMAGE/api'));
});
afterAll(() => repository.remove());

/** What a push of this file to a branch is answered. */
async function pushed(name: string, text: string, project: object = {}) {
  const sha = await repository.branch(name, text);
  return control(repository, project).ask(pushOf(repository, { ref: name, sha, before: '0'.repeat(40) }));
}

describe('a branch', () => {
  test('pushes to its own project alone, and to what the installation file adds', async () => {
    const beta = await pushed('beta', file('$CI_REGISTRY/beta', '[private]'));
    expect(JSON.stringify(beta)).toContain(
      'pushes to 127.0.0.1:5000/table and below, not to 127.0.0.1:5000/beta',
    );
    expect(beta.kind).not.toBe('plan');
    expect((await pushed('hub', file('hub.test/team/app'))).kind).not.toBe('plan');
    const given = { push_to: ['hub.test/team/*', `${HOST}/beta`] };
    expect((await pushed('hub2', file('hub.test/team/app'), given)).kind).toBe('plan');
    expect((await pushed('beta2', file('$CI_REGISTRY/beta'), given)).kind).toBe('plan');
  });
  test('moves no tag of a cache, nor of what builds leave', async () => {
    for (const [at, to] of ['cache/protected', 'pipelines/protected', 'cache'].entries()) {
      const answer = await pushed(`tag${at}`, file(`$CI_REGISTRY_IMAGE/${to}`, '[amd64]'));
      expect(JSON.stringify(answer)).toContain('only davit writes to');
    }
  });
  test('builds and caches beside protected refs, and reads their layers', async () => {
    const world = control(repository);
    const sha = await repository.branch('topic');
    const own = await world.plan(pushOf(repository, { ref: 'topic', sha, before: '0'.repeat(40) }));
    const main = await world.plan(pushOf(repository));
    const spec = (of: typeof own): BuildSpec => world.spec(of, 'img') as BuildSpec;
    expect(spec(own).repository).toBe(`${HOST}/table/pipelines/branches/api`);
    expect(spec(main).repository).toBe(`${HOST}/table/pipelines/protected/api`);
    const [open, closed] = ['branches', 'protected'].map((area) => `${HOST}/table/cache/${area}/api:amd64`);
    expect(cacheTags(spec(own))).toMatchObject({ write: open, read: [open, closed] });
    expect(cacheTags(spec(main))).toMatchObject({ write: closed, read: [closed] });
    expect(world.spec(main, 'tags') as PushSpec).toMatchObject({
      repository: `${HOST}/table/api`,
      pipelines: spec(main).repository,
    });
  });
});

test('a fork builds in a repository of its own, without any cache', async () => {
  const world = control(repository);
  const sha = await repository.branch('fork', file('$CI_REGISTRY/beta'));
  const plan = await world.plan(
    pushOf(repository, { ref: 'fork', sha, fork: true, source: 'merge_request', refKind: 'merge_request' }),
  );
  const spec = world.spec(plan, 'img') as BuildSpec;
  expect(spec.repository).toBe(`${HOST}/forks/table`);
  expect(cacheTags(spec)).toMatchObject({ read: [], write: undefined });
});

test('names that look like the own one are others', () => {
  const of = { project: 'a', registry: HOST, protectedRef: true };
  const may = (path: string): boolean => pushRefusal(path, of, { pushTo: [] }) === undefined;
  expect(['a', 'a/b', 'a/b/cache'].map((path) => may(`${HOST}/${path}`))).toEqual([true, true, true]);
  for (const path of ['ab', 'b/a', 'forks/a', 'a/cache', 'a/pipelines/x'])
    expect(may(`${HOST}/${path}`)).toBe(false);
  expect(may('127.0.0.1:50001/a')).toBe(false);
  expect(pushRefusal(`${HOST}/b`, of, { pushTo: [], local: true })).toBeUndefined();
  expect(pushRefusal(`${HOST}/b/cache/protected`, of, { pushTo: ['*'], local: true })).toContain(
    'only davit',
  );
  const placed = { ...of, root: 'acme/shop' };
  const mayPlaced = (path: string): boolean => pushRefusal(path, placed, { pushTo: [] }) === undefined;
  for (const path of ['acme/shop', 'acme/shop/api']) expect(mayPlaced(`${HOST}/${path}`)).toBe(true);
  for (const path of [
    'a',
    'acme',
    'acme/shops',
    'acme/shop/cache',
    'acme/other',
    'forks/a',
    'forks/acme/shop',
  ])
    expect([path, mayPlaced(`${HOST}/${path}`)]).toEqual([path, false]);
  expect(pipelineRepository(`${HOST}/acme/shop/api`, placed)).toBe(
    `${HOST}/acme/shop/pipelines/protected/api`,
  );
  expect(cacheRepository(`${HOST}/acme/shop`, placed)).toBe(`${HOST}/acme/shop/cache/protected`);
  expect(pipelineRepository('hub.test/a', of)).toBe('hub.test/a');
  expect(cacheRepository('hub.test:443/a', of)).toBe(`${HOST}/a/cache/protected/hub.test-443/a`);
});
