/** Texts of real engines, recorded by version: see test/support/engine-words.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  EXPECTED,
  expectedOf,
  judged,
  type CaseName,
  type RecordedWords,
} from '../../../support/engine-words.ts';
import { ROOT } from '../../../support/source.ts';

const FOLDER = join(ROOT, 'test', 'fixtures', 'engines');
const recorded = readdirSync(FOLDER).map(
  (file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as RecordedWords,
);

test('both image stores are recorded', () => {
  const engines = recorded.map(({ engine }) => engine).join('\n');
  expect(engines).toMatch(/classic store/);
  expect(engines).toMatch(/containerd store/);
});

describe.each(recorded)('$engine', ({ cases }) => {
  test.each(Object.keys(EXPECTED) as CaseName[])('%s', (name) => {
    const words = cases[name];
    if (!words) throw new Error('not recorded');
    expect(judged(name, words)).toBe(expectedOf(name, words));
  });
});
