import { describe, expect, test } from 'vitest';
import type { ArtifactsSpec } from '../../../src/plan/model/spec.ts';
import { REPORTS } from '../../../src/compiler/schema/keywords/artifacts.ts';
import { job, mistakes } from './helpers.ts';

const of = (artifacts: string): ArtifactsSpec | undefined =>
  job(`j: {image: x, script: x, artifacts: ${artifacts}}`, 'j').spec.artifacts;
const wrong = (artifacts: string): string[] => mistakes(`j: {image: x, script: x, artifacts: ${artifacts}}`);

describe('artifacts:reports', () => {
  test.each(REPORTS)('%s is accepted', (kind) => {
    expect(of(`{reports: {${kind}: a.json}}`)?.reports).toEqual([{ kind, paths: ['a.json'] }]);
    expect(of(`{reports: {${kind}: [$CI_PROJECT_DIR/a, "b/*.xml"]}}`)?.reports).toEqual([
      { kind, paths: ['a', 'b/*.xml'] },
    ]);
  });
  test('coverage_report has a format', () => {
    expect(of('{reports: {coverage_report: {coverage_format: cobertura, path: c.xml}}}')?.reports).toEqual([
      { kind: 'coverage_report:cobertura', paths: ['c.xml'] },
    ]);
    expect(of('{reports: {coverage_report: null}}')?.reports).toBeUndefined();
    expect(wrong('{reports: {coverage_report: {coverage_format: lcov, path: c}}}')).toHaveLength(1);
  });
  test('a kind that GitLab does not have is an error', () => {
    expect(wrong('{reports: {junt: a}}')[0]).toContain('artifacts.reports has an unknown key "junt"');
  });
  test('access and public decide who may download; expose_as names it', () => {
    expect(of('{paths: [a], access: none}')?.access).toBe('nobody');
    expect(of('{paths: [a], access: maintainer}')?.access).toBe('operator');
    expect(of('{paths: [a], access: all}')?.access).toBeUndefined();
    expect(of('{paths: [a], public: false}')?.access).toBe('developer');
    expect(of('{paths: [a], public: true, expose_as: "the page"}')).toMatchObject({ exposeAs: 'the page' });
    expect(wrong('{paths: [a], expose_as: "a/b"}')).toHaveLength(1);
    expect(wrong('{paths: [a], access: some}')).toHaveLength(1);
  });
});
