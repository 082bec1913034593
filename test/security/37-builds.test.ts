/** Row 37: what a Dockerfile of an unprotected ref may be. */
import { expect, test } from 'vitest';
import { cacheMountsOf, frontendRefusal, frontendsOf } from '../../activities/image/build-border.ts';
import { buildQuery } from '../../src/adapters/docker/build/query.ts';
import type { BuildRequest } from '../../src/adapters/ports.ts';
import { workerSchema } from '../../src/installation.ts';

const { frontends: allowed } = workerSchema.parse({});
const refused = (dockerfile: string, args: Record<string, string> = {}, protectedRef = false): boolean =>
  frontendRefusal(frontendsOf(dockerfile, args), { protectedRef }, allowed) !== undefined;

test('a frontend is one of the list, however it is named', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  for (const name of [
    'docker/dockerfile:1',
    'docker.io/docker/dockerfile:1.7',
    `docker/dockerfile@${digest}`,
  ])
    expect([name, refused(`# syntax=${name}\nFROM scratch`)]).toEqual([name, false]);
  for (const text of [
    '# syntax=evil.test/x',
    '#syntax = evil.test/docker/dockerfile:1',
    '\ufeff# SYNTAX=evil',
    '#!/usr/bin/env x\n# escape=`\n# syntax=evil',
    '// syntax=evil',
    '{"syntax": "evil"}',
    '\r\n# syntax=docker/dockerfile-evil:1\r\n',
  ])
    expect([text, refused(`${text}\nFROM scratch`)]).toEqual([text, true]);
  expect(refused('FROM scratch', { BUILDKIT_SYNTAX: 'evil' })).toBe(true);
  expect(refused('FROM scratch')).toBe(false);
  expect(refused('# syntax=evil', {}, true)).toBe(false);
});

test('cache mounts have a name of the project and its refs, which no file leads out of', () => {
  const of = (project: string, protectedRef: boolean): string => cacheMountsOf({ project, protectedRef });
  expect(new Set([of('a', true), of('a', false), of('b', true)]).size).toBe(3);
  const request = { args: { BUILDKIT_CACHE_MOUNT_NS: 'davit/b/protected' }, labels: {}, cacheFrom: [] };
  const query = buildQuery({ ...request, cacheMounts: of('a', false) } as never as BuildRequest, 'session');
  expect(JSON.parse(query.buildargs ?? '')).toEqual({
    BUILDKIT_CACHE_MOUNT_NS: 'davit/a/branches/davit/b/protected',
  });
});

test('the engine is asked for no network of its machine, so it refuses a line that wants one', () => {
  const request = { args: {}, labels: {}, cacheFrom: [], cacheMounts: 'davit/a/branches' };
  expect(buildQuery(request as never as BuildRequest, 'session')).not.toHaveProperty('networkmode');
});
