/** Whole files and their plans, as data: `test/fixtures/pipelines/NAME.yml` and the plan beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from './helpers.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/pipelines');
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yml'))
  .map((name) => name.slice(0, -4));

/** Predefined variables and places have tests of their own; here they would hide the rest. */
const withoutPredefined = (key: string, value: unknown): unknown =>
  key === 'places'
    ? undefined
    : key === 'variables' && Array.isArray(value)
      ? value.filter((one: { from?: string }) => one.from !== 'predefined')
      : value;

describe('whole files', () => {
  test('exist', () => expect(names.length).toBeGreaterThan(2));
  test.each(names)('%s', (name) => {
    const answer = run(readFileSync(join(FOLDER, `${name}.yml`), 'utf8'));
    const expected: unknown = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
    expect(JSON.parse(JSON.stringify(answer, withoutPredefined))).toEqual(expected);
  });
});
