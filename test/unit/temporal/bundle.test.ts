import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workflowBundle } from '../../../src/temporal/bundle.ts';

const cache = mkdtempSync(join(tmpdir(), 'davit-bundle-'));
let code = '';
beforeAll(async () => {
  code = readFileSync((await workflowBundle(cache)).codePath, 'utf8');
}, 60_000);
afterAll(() => rmSync(cache, { recursive: true }));

describe('the workflow bundle', () => {
  test('exports the two workflows', () => {
    expect(code).toContain('./workflows/project/project.ts');
    expect(code).toContain('./workflows/pipeline/pipeline.ts');
  });
  test.each(['zod', 'yaml', 're2js', 'dockerode', 'undici'])('contains no %s', (name) => {
    expect(code).not.toContain(`node_modules/${name}/`);
  });
  test('contains only workflows, src/plan and the message of an error', () => {
    const modules = new Set(code.match(/"\.\/(src|activities|workers)\/[^"]+\.ts"/g));
    const others = [...modules].filter((name) => !name.startsWith('"./src/plan/'));
    expect(others).toEqual(['"./src/utils/message.ts"']);
  });
  test('beside the code is used, and nothing is written into the cache', async () => {
    const { codePath } = await workflowBundle(join(cache, 'not-there'), join(cache, 'bundles'));
    expect(dirname(codePath)).toBe(join(cache, 'bundles'));
    expect(existsSync(join(cache, 'not-there'))).toBe(false);
  });
  test('of other code beside the code is not used', async () => {
    const other = join(cache, 'other');
    mkdirSync(other);
    writeFileSync(join(other, `${'0'.repeat(32)}.js`), 'of other code');
    expect(dirname((await workflowBundle(cache, other)).codePath)).toBe(join(cache, 'bundles'));
  });
  test('is built once: the same code gives the same file, which is not written again', async () => {
    const { codePath } = await workflowBundle(cache);
    const before = statSync(codePath);
    expect((await workflowBundle(cache)).codePath).toBe(codePath);
    expect(statSync(codePath)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  });
});
