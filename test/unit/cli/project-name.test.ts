import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findNamedProject, keepName } from '../../../src/cli/local/project-name.ts';
import { isSlug } from '../../../src/plan/model/ids.ts';
import { testCli } from './support.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function place(path: string, remote?: string): string {
  const at = join(folder, path);
  mkdirSync(at, { recursive: true });
  execFileSync('git', ['init', '-q', at]);
  if (remote !== undefined) execFileSync('git', ['-C', at, 'remote', 'add', 'origin', remote]);
  return at;
}
/** Its name as `davit run` finds and keeps it. */
async function run(at: string): Promise<string> {
  const { cli } = testCli(join(folder, 'home'), at);
  const project = await findNamedProject(cli, at);
  await keepName(cli.settings, project);
  return project.slug;
}

test('repositories of one name share nothing, and each keeps its name', async () => {
  const [one, other] = [place('a/shop'), place('b/shop')];
  expect(await run(one)).toBe('shop');
  const second = await run(other);
  expect(second).toMatch(/^shop-[0-9a-f]{6}$/);
  expect([await run(one), await run(other)]).toEqual(['shop', second]);
});

test('clones of one remote are one project, whatever its address looks like', async () => {
  const first = await run(place('a/app', 'https://example.com/team/app.git'));
  expect(await run(place('b/copy', 'git@example.com:team/app.git'))).toBe(first);
  expect(await run(place('c/app', 'git@example.com:others/app.git'))).toMatch(/^app-/);
});

test('names without an ASCII letter, and long ones, are told apart', async () => {
  const long = 'x'.repeat(80);
  const names = await Promise.all(['日本', `q/${long}`].map((path) => run(place(path))));
  const more = [await run(place('茶')), await run(place(`r/${long}`))];
  expect(new Set([...names, ...more]).size).toBe(4);
  expect([...names, ...more].every(isSlug)).toBe(true);
});

test('a home that cannot be written to keeps no name', async () => {
  const at = place('shop');
  writeFileSync(join(folder, 'file'), '');
  const { cli } = testCli(join(folder, 'file', 'home'), at);
  await keepName(cli.settings, await findNamedProject(cli, at));
});

test('a clone of a repository of the installation file is that project, and no other repository gets its name', async () => {
  mkdirSync(join(folder, 'home'), { recursive: true });
  const early = await run(place('z/shop', 'https://example.com/nobody/shop.git'));
  writeFileSync(
    join(folder, 'home', 'davit.config.yml'),
    `projects:
  - { name: shop, forge: gitea, forge_url: "https://git.example.com:8443", repository: acme/store }
  - { name: named, repository: acme/other }
`,
  );
  expect(early).toBe('shop');
  expect(await run(place('a/store', 'ssh://git@git.example.com:2222/Acme/store.git'))).toBe('shop');
  expect(await run(place('b/store', 'https://git.example.com:8443/acme/store'))).toBe('shop');
  expect(await run(place('c/other', 'git@anywhere.test:acme/other.git'))).toBe('named');
  for (const remote of ['https://elsewhere.test/acme/shop', 'https://git.example.com/me/shop'])
    expect(await run(place(`d${remote.length}/shop`, remote))).toMatch(/^shop-[0-9a-f]{6}$/);
  expect(await run(place('e/named', 'https://git.example.com/me/named'))).toMatch(/^named-[0-9a-f]{6}$/);
  expect(await run(place('f/named'))).toBe('named');
});
