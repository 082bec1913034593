/** `davit upgrade --check` against a package, a checkout and an npm registry on the loopback. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { davitAt } from '../support/davit.ts';
import { ROOT } from '../support/source.ts';

const NEXT = '9.0.0';
let folder = '';
let archive = '';
let registry: Server;
let published = true;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-upgrade-'));
  archive = makeNext();
  registry = createServer((request, response) => {
    const { port } = registry.address() as AddressInfo;
    const bytes = readFileSync(archive);
    if (!published) return void response.writeHead(404).end('{}');
    if (request.url?.endsWith('.tgz')) return void response.end(bytes);
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const dist = { tarball: `http://127.0.0.1:${port}/davit-ci/-/davit-ci-${NEXT}.tgz`, integrity };
    const versions = { [NEXT]: { name: 'davit-ci', version: NEXT, dist } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name: 'davit-ci', 'dist-tags': { latest: NEXT }, versions }));
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
});
afterAll(() => {
  registry.closeAllConnections();
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

/** This version, with another number, a further change, and a field less. */
function makeNext(): string {
  const own = join(folder, 'package');
  mkdirSync(join(own, 'docs'), { recursive: true });
  for (const name of ['CHANGELOG.md', 'docs/upgrade.json']) cpSync(join(ROOT, name), join(own, name));
  const edit = (name: string, change: (text: string) => string): void =>
    writeFileSync(join(own, name), change(readFileSync(join(own, name), 'utf8')));
  writeFileSync(
    join(own, 'package.json'),
    JSON.stringify({ name: 'davit-ci', version: NEXT, engines: { node: '>=24' } }),
  );
  edit('CHANGELOG.md', (text) =>
    text.replace('## [Unreleased]\n', '## [9.0.0]\n### Changed\n- Calm.\n- **Breaking.** `url` is gone.\n\n'),
  );
  edit('docs/upgrade.json', (text) => text.replace('    "url",\n', ''));
  const file = join(folder, 'next.tgz');
  execFileSync('tar', ['-czf', file, '-C', folder, 'package']);
  return file;
}

async function check(args: readonly string[], file?: string) {
  const home = mkdtempSync(join(folder, 'home-'));
  if (file !== undefined) writeFileSync(join(home, 'davit.config.yml'), file);
  return davitAt(home).cli(['upgrade', '--check', ...args], {
    env: {
      npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
      npm_config_cache: join(folder, 'npm'),
    },
  });
}

test('a package: what is new, breaking first, and a field that it does not know', async () => {
  const { code, stdout } = await check(['--from', archive], 'url: https://ci.example.com\n');
  expect(stdout).toContain(`compared with ${NEXT}`);
  expect(stdout).toMatch(/Breaking\n- `url` is gone\.\n\nChanged\n- Calm\.\n\nThis installation/);
  expect(stdout).toContain('✗ installation file: It does not know these fields: url.');
  expect(stdout).toMatch(/✓ engine: Docker \S+; it needs 20 or later/);
  expect(code).toBe(1);
});

test('the newest of the npm registry, where nothing stands in the way', async () => {
  const { code, stdout } = await check(['--json']);
  expect(JSON.parse(stdout)).toMatchObject({ newer: NEXT, changes: [{ breaking: true }, { text: 'Calm.' }] });
  expect(code).toBe(0);
});

test('a checkout of the same version says nothing new', async () => {
  const { code, stdout } = await check(['--from', ROOT]);
  expect(stdout).toContain('Its changelog says nothing new.');
  expect(code).toBe(0);
});

test('what is not published, not reached or not davit is said', async () => {
  published = false;
  expect(await check([])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not-published') as string,
  });
  published = true;
  const other = await check(['--from', join(ROOT, 'node_modules', 'zod')]);
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('not that of davit-ci') as string });
});
