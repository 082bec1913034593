import { describe, expect, test } from 'vitest';
import {
  completed,
  contextsOf,
  isLater,
  isTold,
  statusKindOf,
  tellsForge,
} from '../../../../src/plan/policy/commit-status.ts';
import { triggerOf } from '../../../support/plans.ts';

describe('contexts', () => {
  test('each kind has its own, and a fork has one that no check of the project looks at', () => {
    const own = (['push', 'tag', 'mr'] as const).flatMap((kind) => contextsOf({}, { kind }));
    expect(own).toEqual(['davit/push', 'davit/tag', 'davit/mr']);
    for (const kind of ['push', 'tag', 'mr'] as const)
      expect(contextsOf({}, { kind, fork: true })).toEqual(['davit/fork']);
  });
  test('the prefix of the project comes before that of the installation', () => {
    const installation = { prefix: 'ci' };
    expect(contextsOf({ installation }, { kind: 'mr' })).toEqual(['ci/mr']);
    expect(contextsOf({ installation, project: { prefix: 'board' } }, { kind: 'mr' })).toEqual(['board/mr']);
  });
  test('a legacy name gets every status too, and keeps forks apart', () => {
    const of = { installation: { legacy: 'davit' } };
    expect(contextsOf(of, { kind: 'push' })).toEqual(['davit/push', 'davit']);
    expect(contextsOf(of, { kind: 'tag' })).toEqual(['davit/tag', 'davit']);
    expect(contextsOf({ project: { prefix: 'ci', legacy: 'davit' } }, { kind: 'mr', fork: true })).toEqual([
      'ci/fork',
      'davit/fork',
    ]);
  });
});

test('a schedule or a request counts as the kind of its ref', () => {
  expect(statusKindOf(triggerOf('a', { source: 'schedule' }))).toBe('push');
  expect(statusKindOf(triggerOf('a', { source: 'api', refKind: 'tag' }))).toBe('tag');
  expect(statusKindOf(triggerOf('a', { source: 'merge_request', refKind: 'merge_request' }))).toBe('mr');
});

test('of two reports the later pipeline counts, then the later moment, then the later of one moment', () => {
  expect(isLater([2, 1, 1], [1, 9, 9])).toBe(true);
  expect(isLater([1, 9, 9], [2, 1, 1])).toBe(false);
  expect(isLater([1.5, 9, 9], [2, 1, 1])).toBe(false);
  expect(isLater([1, 2, 1], [1, 1, 9])).toBe(true);
  expect(isLater([1, 1, 2], [1, 1, 1])).toBe(true);
  expect(isLater([1, 1, 1], [1, 1, 1])).toBe(false);
});

test('the forge is told nothing about a working tree or a child', () => {
  const upstream = {
    pipeline: 'a/1' as const,
    job: 'go',
    attempt: 1,
    config: `sha256:${'0'.repeat(64)}` as const,
    root: 1,
    origin: 'push' as const,
    chain: [],
  };
  expect(isTold(triggerOf('a'))).toBe(true);
  expect(isTold(triggerOf('a', { source: 'cli' }))).toBe(false);
  expect(isTold(triggerOf('a', { source: 'parent_pipeline', upstream: { ...upstream, depth: 1 } }))).toBe(
    false,
  );
  expect(isTold(triggerOf('a', { source: 'pipeline', upstream: { ...upstream, depth: 0 } }))).toBe(true);
});

test('a project without forge, repository or token has nobody to tell', () => {
  const whole = { forge: 'gitea', forge_token: 'env:T', repository: 'a/b' };
  expect(tellsForge(whole)).toBe(true);
  expect(tellsForge({ ...whole, forge: 'none' })).toBe(false);
  expect(tellsForge({ ...whole, forge_token: undefined })).toBe(false);
  expect(tellsForge({ ...whole, repository: undefined })).toBe(false);
  expect(tellsForge(undefined)).toBe(false);
});

test('a report of an earlier version gets its kind from the ref and its place from the pipeline', () => {
  const report = {
    project: 'a',
    id: 'a/7' as const,
    sha: 'b',
    ref: 'refs/pull/3/head',
    state: 'failed' as const,
  };
  expect(completed(report, 5)).toMatchObject({ kind: 'mr', place: [7, 5, 0] });
  expect(completed({ ...report, ref: 'main' }, 5).kind).toBe('push');
  expect(completed({ ...report, kind: 'tag', place: [1, 2, 3] }, 5)).toMatchObject({
    kind: 'tag',
    place: [1, 2, 3],
  });
});
