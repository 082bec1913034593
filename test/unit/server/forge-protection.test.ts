/** The server's list of what forges protect: bounded calls, and the last known list while a forge is away. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgeRefs } from '../../../src/adapters/forge/index.ts';
import { installationSchema, type InstallationProject } from '../../../src/installation.ts';
import { refProtection } from '../../../src/match/protected-refs.ts';
import { forgeProtection, type ProtectionOf } from '../../../src/server/forge-protection.ts';
import { testForge, type TestForge } from '../../support/forge.ts';
import { memoryRecords } from '../activities/fakes.ts';

let forge: TestForge;
let records: ReturnType<typeof memoryRecords>;
let now: number;
let said: string[];
beforeEach(async () => {
  forge = await testForge('gitea');
  records = memoryRecords();
  now = 1_000_000;
  said = [];
});
afterEach(() => forge.close().catch(() => undefined)); // a test may have closed it

const server = (): ProtectionOf =>
  forgeProtection({
    forge: forgeRefs({ secrets: { resolve: async () => 't' } }),
    records,
    log: { warn: (text) => void said.push(text), note: (text) => void said.push(text) },
    now: () => now,
  });
function project(more: object = {}): InstallationProject {
  const [found] = installationSchema.parse({
    projects: [
      {
        name: 'table',
        forge: 'gitea',
        forge_url: forge.url,
        forge_token: 'env:T',
        repository: 'group/table',
        protected_from: 'forge',
        protected_branches: ['dev'],
        protected_tags: ['*'],
        ...more,
      },
    ],
  }).projects;
  if (!found) throw new Error('no project');
  return found;
}
const ask = async (of: ProtectionOf, ref: string, more: object = {}) => {
  const asked = project(more);
  return refProtection({ ...asked, forge_protects: await of(asked) }, 'branch', ref);
};

test('the forge decides, and the lists of the file do not', async () => {
  const of = server();
  expect(await ask(of, 'main')).toBe('protected');
  expect(await ask(of, 'dev')).toBe('unprotected');
  expect(await ask(of, 'dev', { protected_from: 'file' })).toBe('protected');
  expect(await ask(of, 'main', { protected_from: 'file' })).toBe('unprotected');
});

test('many questions make one call of each list, and a change counts after half a minute', async () => {
  const of = server();
  await Promise.all(Array.from({ length: 50 }, () => ask(of, 'main')));
  expect(forge.requests).toHaveLength(2);
  forge.lists.branch_protections = [];
  now += 29_000;
  expect(await ask(of, 'main')).toBe('protected');
  now += 1_000;
  expect(await ask(of, 'main')).toBe('unprotected');
  expect(forge.requests).toHaveLength(4);
});

test.each(['away', 'refusing', 'gone', 'wrong'])(
  'a forge that is %s leaves the last known list',
  async (how) => {
    const of = server();
    await ask(of, 'main');
    if (how === 'gone') await forge.close();
    else if (how === 'wrong') forge.lists.branch_protections = { message: 'none' };
    else forge.status = how === 'away' ? 503 : 403;
    now += 60 * 60_000;
    for (const one of [of, server()]) {
      expect(await ask(one, 'main')).toBe('protected');
      expect(await ask(one, 'dev')).toBe('unprotected');
    }
    expect(said).toHaveLength(2);
    expect(said[0]).toContain('the last known ones count');
  },
);

test('without any list nothing is known: no ref is protected, and none is free', async () => {
  forge.status = 503;
  const of = server();
  expect([await ask(of, 'main'), await ask(of, 'dev')]).toEqual(['unknown', 'unknown']);
  expect(forge.requests.length).toBeLessThanOrEqual(2);
  now += 9_000;
  await ask(of, 'main');
  expect(forge.requests.length).toBeLessThanOrEqual(2);
  forge.status = 200;
  now += 1_000;
  expect(await ask(of, 'main')).toBe('protected');
  expect(said.at(-1)).toContain('again');
});

test('the list of another repository is not used', async () => {
  await ask(server(), 'main');
  forge.status = 503;
  expect(await ask(server(), 'main')).toBe('protected');
  expect(await ask(server(), 'main', { repository: 'group/other' })).toBe('unknown');
});
