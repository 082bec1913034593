/**
 * The pipelines that build davit: plain jobs that GitLab runs too, and davit's own keywords for the image.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCli } from '../../src/cli/program.ts';
import { KEYWORDS } from '../../src/compiler/schema/keyword-table.ts';
import { ROOT } from '../support/source.ts';
import { testCli } from '../unit/cli/support.ts';

const planned = z.object({
  jobs: z.array(z.looseObject({ name: z.string(), stage: z.string(), kind: z.string() })),
});

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-test-own-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function davit(...args: string[]): Promise<{ code: number; out: string }> {
  const { cli, written } = testCli(home, ROOT, {});
  return { code: await runCli(cli, args), out: written.out };
}

describe.each(['.davit.yml', '.gitlab-ci.yml'])('%s', (file) => {
  test('has no mistake and no warning', async () => {
    const { code, out } = await davit('lint', file, '--json');
    expect(JSON.parse(out)).toMatchObject({ file, valid: true, problems: [] });
    expect(code).toBe(0);
  });
});

test('a tag is checked, tested, built for two architectures and pushed', async () => {
  const { code, out } = await davit('plan', '--tag', 'v1.0.0', '--json');
  expect(code).toBe(0);
  const { jobs } = planned.parse(JSON.parse(out));
  expect(jobs.map((job) => `${job.stage}: ${job.name} (${job.kind})`)).toEqual([
    'check: lint (script)',
    'check: types (script)',
    'test: unit (script)',
    'integration: integration (script)',
    'build: build: [amd64] (build)',
    'build: build: [arm64] (build)',
    'push: push (push)',
  ]);
});

test('.gitlab-ci.yml uses no keyword of davit', async () => {
  const { code, out } = await davit('config', '.gitlab-ci.yml');
  expect(code).toBe(0);
  const own = KEYWORDS.filter((keyword) => keyword.status === 'davit').map((keyword) => keyword.name);
  expect(own.filter((name) => new RegExp(`^  ${name}:`, 'm').test(out))).toEqual([]);
});
