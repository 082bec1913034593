import { describe, expect, test } from 'vitest';
import { job, mistakes } from '../helpers.ts';

const of = (release: string, more = ''): string => `j: {image: x, script: x, release: ${release}${more}}`;

describe('release', () => {
  test('has the commit as its ref, and variables filled in as far as they are known', () => {
    const dotenv = 'v: {stage: build, image: x, script: x, artifacts: {reports: {dotenv: a.env}}}\n';
    const { job: planned, spec } = job(
      dotenv + of('{tag_name: "v$VERSION", description: "Of $CI_PROJECT_NAME", name: "R $CI_COMMIT_BRANCH"}'),
      'j',
    );
    expect(planned.release).toBe(true);
    expect(spec.kind === 'script' && spec.release).toEqual({
      tagName: 'v${VERSION}',
      name: 'R main',
      description: 'Of table',
      ref: '0123456789abcdef0123456789abcdef01234567',
      milestones: [],
      links: [],
    });
  });
  test('accepts all of its parts', () => {
    const links = 'assets: {links: [{name: a, url: "https://x", filepath: /a, link_type: image}]}';
    const { spec } = job(
      of(
        `{tag_name: v1, tag_message: m, description: d, ref: main, milestones: [a], released_at: "2026-01-02T03:04:05Z", ${links}}`,
      ),
      'j',
    );
    expect(spec.kind === 'script' && spec.release).toMatchObject({
      tagMessage: 'm',
      ref: 'main',
      milestones: ['a'],
      releasedAt: '2026-01-02T03:04:05Z',
      links: [{ name: 'a', url: 'https://x', filepath: '/a', type: 'image' }],
    });
  });
  test.each([
    ['{description: d}', 'release.tag_name is missing'],
    ['{tag_name: v1}', 'release.description is missing'],
    ['{tag_name: v1, description: d, released_at: soon}', 'ISO 8601'],
    ['{tag_name: v1, description: d, asset: {}}', 'has an unknown key "asset"'],
    ['{tag_name: v1, description: d, assets: {links: [{name: a, url: b, link_type: x}]}}', 'runbook'],
  ])('%s is refused', (text, words) => expect(mistakes(of(text)).join()).toContain(words));
  test('nothing secret is published', () => {
    const variables = [{ name: 'S', value: { literal: 'x' }, masked: true, file: false }];
    const found = mistakes(of('{tag_name: v1, description: "a $S"}'), { project: { variables } });
    expect(found.join()).toContain('language/secret');
  });
  test('is ignored in a job that runs no script', () => {
    expect(mistakes('j: {stage: build, build: {}, release: {tag_name: a, description: b}}').join()).toContain(
      'conflict',
    );
  });
});
