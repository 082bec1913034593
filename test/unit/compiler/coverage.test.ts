import { describe, expect, test } from 'vitest';
import { coverageOf, coveragePattern } from '../../../src/compiler/coverage.ts';
import { job, mistakes } from './helpers.ts';

function of(pattern: string, line: string): number | undefined {
  const compiled = coveragePattern(pattern);
  return compiled && coverageOf(compiled, line);
}

describe('coverage', () => {
  test('takes the last match, of it the last group, of that the first number', () => {
    expect(of('/Coverage: \\d+\\.\\d+%/', 'Coverage: 71.5%')).toBe(71.5);
    expect(of('/\\d+%/', '10% and 20%')).toBe(20);
    expect(of('/(\\d+) of (\\d+)/', '3 of 4, 5 of 6')).toBe(6);
    expect(of('/total: (.*)/', 'total: about 80 or 90')).toBe(80);
    expect(of('/total (\\d+)|all (\\d+)/', 'total 7')).toBeUndefined();
    expect(of('/none/', 'total 7')).toBeUndefined();
    expect(of('/total/', 'total 7')).toBeUndefined();
  });
  test('is in the spec as written', () => {
    const { spec } = job(`j: {image: x, script: x, coverage: '/(\\d+)%$/'}`, 'j');
    expect(spec.kind === 'script' && spec.coverage).toBe('/(\\d+)%$/');
  });
  test('a pattern that RE2 does not accept, or without slashes, is an error', () => {
    expect(mistakes(`j: {image: x, script: x, coverage: '/(?=a)/'}`)[0]).toContain(
      'not a valid regular expression',
    );
    expect(mistakes(`j: {image: x, script: x, coverage: 'a'}`)[0]).toContain('between slashes');
    expect(mistakes('j: {build: {}, coverage: /a/}')[0]).toContain(
      '"j" is a build job without a container of its own, so it cannot have coverage',
    );
  });
});
