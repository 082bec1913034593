/** Where the file and the forge protect different refs, in the words of the doctor. */
import { afterEach, expect, test } from 'vitest';
import { forgeRefs } from '../../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';
import { parseInstallation } from '../../../../src/compiler/installation-file.ts';
import { installationSchema } from '../../../../src/installation.ts';
import { refFindings } from '../../../../src/local/doctor/protected-refs.ts';
import { testForge, type TestForge } from '../../../support/forge.ts';

let forge: TestForge | undefined;
afterEach(() => forge?.close());

async function findings(kind: ForgeKind, more: object, status = 200) {
  await forge?.close();
  forge = await testForge(kind);
  forge.status = status;
  const named = {
    name: 'table',
    forge: kind,
    forge_url: forge.url,
    forge_token: 'env:T',
    repository: 'group/table',
  };
  const { projects } = installationSchema.parse({ projects: [{ ...named, ...more }, { name: 'local' }] });
  return refFindings(projects, forgeRefs({ secrets: { resolve: async () => 't' } }));
}

test('equal lists are said to be equal', async () => {
  const own = { protected_branches: ['main', 'release/*', '*-stable'], protected_tags: ['v*'] };
  expect(await findings('gitlab', own)).toMatchObject([{ name: 'protected refs of table', verdict: 'ok' }]);
  expect(await findings('github', { protected_branches: ['trunk', 'release/1'] })).toMatchObject([
    { verdict: 'warn', found: expect.stringContaining('tag v* (the file has no such pattern)') },
  ]);
});

test('what only one side protects is named, with the lines that mend it', async () => {
  const [found] = await findings('gitlab', { protected_branches: ['main', 'old', 'hot/*'] });
  expect(found?.verdict).toBe('warn');
  expect(found?.found).toContain(
    'the forge lets everybody with write access push: branch old, branch hot/*;',
  );
  expect(found?.found).toContain('protected by the forge alone: branch release/*, branch *-stable, tag v*.');
  expect(found?.remedy).toContain('protected_from: forge');
  expect(found?.remedy).toContain(
    "protected_branches: ['main', 'release/*', '*-stable'], protected_tags: ['v*']",
  );
});

test('a star of Gitea that stops at a slash is not the star of the file', async () => {
  const [found] = await findings('gitea', {
    protected_branches: ['main', 'release/*'],
    protected_tags: ['v*'],
  });
  expect(found?.found).toContain('push: branch release/*');
  expect(found?.found).toContain('branch release/* (the file has no such pattern)');
  expect(found?.found).not.toContain('branch main');
  expect(found?.found).not.toContain('tag v*');
});

test('lists of the forge are shown, and those of the file that are not used', async () => {
  expect(await findings('gitea', { protected_from: 'forge' })).toMatchObject([
    { verdict: 'ok', found: expect.stringContaining('branches main, release/*') },
  ]);
  expect(await findings('gitlab', { protected_from: 'forge', protected_tags: ['x'] })).toMatchObject([
    { verdict: 'warn', found: expect.stringContaining('protected_tags are not used') },
  ]);
});

test('a forge that does not say them fails the check where it decides', async () => {
  expect(await findings('gitea', { protected_from: 'forge' }, 403)).toMatchObject([
    { verdict: 'fail', code: 'forge/refused', remedy: expect.stringContaining('administrator') },
  ]);
  expect(await findings('gitea', {}, 403)).toMatchObject([{ verdict: 'warn', code: 'forge/refused' }]);
});

test('the file says what it needs to ask the forge', () => {
  const parsed = parseInstallation('projects: [{name: a, forge: gitea, protected_from: forge}]', 'd.yml');
  expect(parsed.ok ? '' : parsed.problems.map((one) => one.message).join()).toContain(
    'needs forge_url, forge_token, repository',
  );
});
