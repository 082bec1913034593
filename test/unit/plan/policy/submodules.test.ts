/** What a job's variables request of submodules, and where they are fetched from. */
import { describe, expect, test } from 'vitest';
import { addressOf } from '../../../../src/adapters/git/submodule-address.ts';
import { checkUrl } from '../../../../src/adapters/git/validate.ts';
import { wanted } from '../../../../src/adapters/git/submodules.ts';
import { submodulesOf } from '../../../../src/plan/policy/submodules.ts';

const spec = (values: Record<string, string>) => ({
  variables: Object.entries(values).map(([name, literal]) => ({
    name,
    value: { literal },
    masked: false,
    file: false,
  })),
});

test('the variables of a job', () => {
  expect(submodulesOf(spec({}))).toBeUndefined();
  expect(submodulesOf(spec({ GIT_SUBMODULE_STRATEGY: 'none' }))).toBeUndefined();
  expect(submodulesOf(spec({ GIT_SUBMODULE_STRATEGY: 'normal' }))).toEqual({
    recursive: false,
    paths: [],
    depth: 20,
  });
  const all = { GIT_SUBMODULE_STRATEGY: 'recursive', GIT_SUBMODULE_PATHS: 'a b', GIT_SUBMODULE_DEPTH: '1' };
  expect(submodulesOf(spec(all))).toEqual({ recursive: true, paths: ['a', 'b'], depth: 1 });
  expect(submodulesOf(spec({ ...all, GIT_SUBMODULE_DEPTH: '0' }))?.depth).toBe(0);
});

test('GIT_SUBMODULE_PATHS includes and excludes', () => {
  expect([wanted('lib', []), wanted('lib/a', ['lib']), wanted('library', ['lib'])]).toEqual([
    true,
    true,
    false,
  ]);
  expect([wanted('lib', [':(exclude)lib']), wanted('app', [':!lib']), wanted('x/y', ['x/*'])]).toEqual([
    false,
    true,
    true,
  ]);
});

describe('an address', () => {
  const home = checkUrl('https://forge.test/team/app.git', ['https']);
  const of = (written: string, parent = home.url) => addressOf(written, { parent, home });
  test.each([
    ['../lib.git', 'https://forge.test/team/lib.git', true],
    ['./lib.git', 'https://forge.test/team/app.git/lib.git', true],
    ['../../other/lib.git', 'https://forge.test/other/lib.git', true],
    ['../../../../lib.git', 'https://forge.test/lib.git', true],
    ['https://FORGE.test/a/b.git', 'https://FORGE.test/a/b.git', true],
    ['git@forge.test:a/b.git', 'https://forge.test/a/b.git', true],
    ['ssh://git@forge.test/a/b.git', 'https://forge.test/a/b.git', true],
    ['https://forge.test:8443/a/b.git', 'https://forge.test:8443/a/b.git', false],
    ['http://forge.test/a/b.git', 'http://forge.test/a/b.git', false],
    ['https://forge.test.evil.test/b.git', 'https://forge.test.evil.test/b.git', false],
    ['https://elsewhere.test/b.git', 'https://elsewhere.test/b.git', false],
    ['git@elsewhere.test:a/b.git', 'git@elsewhere.test:a/b.git', false],
  ])('%s', (written, url, own) => expect(of(written)).toEqual({ url, own }));
  test('relative ones of another host belong to that host, without credentials', () => {
    expect(of('../c.git', 'https://elsewhere.test/a/b.git')).toEqual({
      url: 'https://elsewhere.test/a/c.git',
      own: false,
    });
  });
  test('of a project that is fetched over ssh', () => {
    const ssh = checkUrl('git@forge.test:team/app.git', ['ssh']);
    expect(addressOf('../lib.git', { parent: ssh.url, home: ssh })).toEqual({
      url: 'git@forge.test:team/lib.git',
      own: true,
    });
  });
  test('on a disk only neighbouring paths', () => {
    const disk = checkUrl('file:///srv/git/app.git', ['file']);
    const at = (written: string) => addressOf(written, { parent: disk.url, home: disk });
    expect(at('../lib.git')).toEqual({ url: 'file:///srv/git/lib.git', own: true });
    for (const written of ['../../lib.git', 'file:///etc', 'file:///srv/git/../../etc', '/etc'])
      expect(() => at(written)).toThrow(/outside the folder of the repository/);
  });
});
