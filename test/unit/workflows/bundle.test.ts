import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    expect(code).toContain('./workflows/project.ts');
    expect(code).toContain('./workflows/pipeline.ts');
  });
  test.each(['zod', 'yaml', 're2js', 'dockerode', 'undici'])('holds no %s', (name) => {
    expect(code).not.toContain(`node_modules/${name}/`);
  });
  test('holds none of davit but workflows, src/plan and the message of an error', () => {
    const modules = new Set(code.match(/"\.\/(src|activities|workers)\/[^"]+\.ts"/g));
    const others = [...modules].filter((name) => !name.startsWith('"./src/plan/'));
    expect(others).toEqual(['"./src/utils/message.ts"']);
  });
  test('is built once: the same code answers the same file at once', async () => {
    const began = performance.now();
    await workflowBundle(cache);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
