/** package.json has davit's version, scripts/node24.mjs the version of Node; other places repeat them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCli } from '../../src/cli/program.ts';
import { ROOT } from '../support/source.ts';
import { testCli } from '../unit/cli/support.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')));
const [, node] = /NODE_VERSION = '(.+)'/.exec(read('scripts/node24.mjs')) ?? [];

describe('the version of davit', () => {
  test('davit --version', async () => {
    const { cli, written } = testCli(ROOT, ROOT, {});
    expect(await runCli(cli, ['--version'])).toBe(0);
    expect(written.out.trim()).toBe(version);
  });
  test('the label of the image', () => {
    expect(read('Dockerfile')).toContain(`org.opencontainers.image.version=${version}\n`);
  });
  test('the lock file', () => {
    expect(JSON.parse(read('package-lock.json'))).toMatchObject({ version });
  });
  test('CHANGELOG.md has an entry for it', () => {
    expect(read('CHANGELOG.md')).toContain(`\n## [${version}] - `);
  });
});

describe('the version of Node', () => {
  test.each(['.nvmrc', '.gitlab-ci.yml', 'Dockerfile'])('in %s', (path) => {
    const named = [...read(path).matchAll(/(?:^|node:)(\d+\.\d+\.\d+)/gm)].map((found) => found[1]);
    expect(new Set(named)).toEqual(new Set([node]));
  });
});
