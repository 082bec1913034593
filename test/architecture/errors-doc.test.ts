import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { readSources, ROOT } from '../support/source.ts';

const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
const codes = Object.keys(ERRORS);

describe('coded errors', () => {
  test('docs/errors.md lists exactly the codes of src/errors.ts (npm run docs writes it)', () => {
    const documented = [...page.matchAll(/^\| `([a-z-]+(?:\/[a-z-]+)?)` \|/gm)].map((found) => found[1]);
    expect(documented.toSorted()).toEqual(codes.toSorted());
  });

  test('each has a code of the form area/what, a meaning and a remedy that end like sentences', () => {
    const poor = Object.entries(ERRORS).filter(
      ([code, spec]) =>
        !(/^[a-z]+(-[a-z]+)*\/[a-z]+(-[a-z]+)*$/.test(code) || code === 'not-found') ||
        !/^.{12,}\.$/.test(spec.meaning) ||
        !/^.{12,}\.$/.test(spec.remedy),
    );
    expect(poor.map(([code]) => code)).toEqual([]);
  });

  test('each is used by the product', () => {
    const text = readSources('src/**/*.ts', 'workflows/**/*.ts', 'activities/**/*.ts', 'workers/**/*.ts')
      .filter((file) => file.path !== 'src/errors.ts')
      .map((file) => file.text)
      .join('\n');
    expect(codes.filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});
