/** What each forge protects, read over HTTP from documents as the forge sends them. */
import { afterEach, describe, expect, test } from 'vitest';
import { forgeRefs } from '../../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';
import { forgeProtects, type ForgeProtection } from '../../../../src/match/forge-refs.ts';
import { testForge, type TestForge } from '../../../support/forge.ts';

let forge: TestForge | undefined;
afterEach(() => forge?.close());

const settings = (kind: ForgeKind, url: string) =>
  ({ name: 'table', forge: kind, forge_url: url, forge_token: 'env:T', repository: 'group/table' }) as const;
const reader = forgeRefs({ secrets: { resolve: async () => 'canary-token' } });
async function start(kind: ForgeKind): Promise<TestForge> {
  forge = await testForge(kind);
  return forge;
}
const read = (kind: ForgeKind, at: TestForge): Promise<ForgeProtection> =>
  reader.read(settings(kind, at.url));
const answers = (patterns: ForgeProtection['branches'], refs: readonly string[]): Record<string, string> =>
  Object.fromEntries(refs.map((ref) => [ref, forgeProtects(patterns, ref)]));

describe('protected branches and tags', () => {
  test('of GitLab are those of its lists, where a star is any text', async () => {
    const { branches, tags } = await read('gitlab', await start('gitlab'));
    expect(answers(branches, ['main', 'release/1', 'release/a/b', '2-stable', 'mainly', 'dev'])).toEqual({
      main: 'protected',
      'release/1': 'protected',
      'release/a/b': 'protected',
      '2-stable': 'protected',
      mainly: 'unprotected',
      dev: 'unprotected',
    });
    expect(answers(tags, ['v1', 'main'])).toEqual({ v1: 'protected', main: 'unprotected' });
    expect(forge?.tokens).toEqual(new Set(['canary-token']));
  });

  test('of Gitea are those whose first rule limits pushes; a star stops at a slash in branches alone', async () => {
    const { branches, tags } = await read('gitea', await start('gitea'));
    const refs = ['main', 'release/1', 'release/a/b', 'release/open-1', 'late', 'dev', 'MAIN'];
    expect(answers(branches, refs)).toEqual({
      main: 'protected',
      'release/1': 'protected',
      'release/a/b': 'unprotected',
      'release/open-1': 'unprotected',
      // The rule before it lets everybody push.
      late: 'unprotected',
      dev: 'unprotected',
      MAIN: 'unprotected',
    });
    expect(answers(tags, ['v1', 'v/1', 'rc-1', 'src-1', 'rc-1x', 'prod-1', 'stage-12'])).toEqual({
      v1: 'protected',
      'v/1': 'protected',
      'rc-1': 'protected',
      'src-1': 'unprotected',
      'rc-1x': 'unprotected',
      'prod-1': 'protected',
      'stage-12': 'unprotected',
    });
    expect(forge?.tokens).toEqual(new Set(['token canary-token']));
  });

  test('of GitHub are branches whose pushes are limited, and tags that nobody else makes or moves', async () => {
    const { branches, tags } = await read('github', await start('github'));
    // A ruleset that forbids force pushes makes each branch "protected" there.
    expect(answers(branches, ['trunk', 'release/1', 'dev/feature', 'main'])).toEqual({
      trunk: 'protected',
      'release/1': 'protected',
      'dev/feature': 'unprotected',
      main: 'unprotected',
    });
    expect(answers(tags, ['v1', 'v/1', 'v0.1', 'off1', 'try1', 'x'])).toEqual({
      v1: 'protected',
      'v/1': 'unprotected',
      'v0.1': 'unprotected',
      off1: 'unprotected',
      try1: 'unprotected',
      x: 'unprotected',
    });
    expect(forge?.requests).toContain(
      '/api/v3/repos/group/table/branches?protected=true&per_page=100&page=1',
    );
    expect(forge?.requests.filter((one) => one.includes('rulesets/'))).toHaveLength(4);
    expect(forge?.tokens).toEqual(new Set(['Bearer canary-token']));
  });
});

describe('a list', () => {
  test('is read to its last page, at the same address', async () => {
    const at = await start('gitlab');
    at.page = 2;
    const { branches } = await read('gitlab', at);
    expect(branches.map((one) => one.written)).toEqual(['main', 'release/*', '*-stable']);
    expect(at.requests.filter((one) => one.includes('protected_branches'))).toHaveLength(2);
  });

  test('without an end is not half a list', async () => {
    const at = await start('gitlab');
    at.page = 1;
    at.lists.protected_tags = Array.from({ length: 25 }, (_, n) => ({ name: `v${n}` }));
    await expect(read('gitlab', at)).rejects.toMatchObject({
      code: 'forge/refused',
      message: expect.stringContaining('more than 20 pages'),
    });
  });

  test.each([
    [500, 'forge/away'],
    [429, 'forge/away'],
    [403, 'forge/refused'],
    [404, 'forge/refused'],
    [302, 'forge/refused'],
  ])('that is answered with %i is none', async (status, code) => {
    for (const kind of ['gitlab', 'gitea', 'github'] as const) {
      const at = await start(kind);
      at.status = status;
      const error: unknown = await read(kind, at).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code });
      expect(JSON.stringify(error) + String(error)).not.toContain('canary-token');
      await at.close();
      await expect(read(kind, at)).rejects.toMatchObject({ code: 'forge/away' });
    }
    forge = undefined;
  });

  test.each([
    ['gitlab', 'protected_branches'],
    ['gitlab', 'protected_tags'],
    ['gitea', 'branch_protections'],
    ['gitea', 'tag_protections'],
    ['github', 'branches'],
    ['github', 'rulesets'],
  ] as const)('of %s in another form (%s) is none', async (kind, list) => {
    const at = await start(kind);
    for (const other of [{}, [{}], 'text', null]) {
      at.lists[list] = other;
      await expect(read(kind, at)).rejects.toMatchObject({ code: 'forge/refused' });
    }
  });

  test('of a project without a forge or token is refused with the reason', async () => {
    await expect(reader.read({ name: 'table', forge: 'none' })).rejects.toMatchObject({
      code: 'forge/refused',
      message: expect.stringContaining('forge_token'),
    });
  });
});

test('what a pattern says that cannot be read is not known', () => {
  const odd = [
    { written: '/(/', syntax: 'regex' },
    { written: 'v[^0]', syntax: 'text' },
    { written: 'v*', syntax: 'newer' as never },
  ] as const;
  for (const pattern of odd) {
    expect(forgeProtects([pattern], 'v1')).toBe('unknown');
    expect(forgeProtects([pattern, { written: 'v1', syntax: 'name' }], 'v1')).toBe('protected');
  }
});
