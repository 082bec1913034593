/** `pages`: which folder is published, where, and for how long. */
import { describe, expect, test } from 'vitest';
import { job, mistakes } from '../helpers.ts';

const of = (pages: string, more = ''): string => `j: {image: x, script: x, pages: ${pages}${more}}`;
const site = (text: string, name = 'j', more = {}) => {
  const { job: planned, spec } = job(text, name, more);
  if (spec.kind !== 'script') throw new Error('a script was expected');
  const url = spec.variables.find((variable) => variable.name === 'CI_PAGES_URL')?.value;
  return { planned: planned.pages, pages: spec.pages, paths: spec.artifacts?.paths, url };
};
const HERE = 'http://127.0.0.1:8080/pages/table';

describe('pages', () => {
  test('the job of that name publishes the folder public, and its URL is known', () => {
    const text = 'pages: {image: x, script: x, artifacts: {paths: [public, other]}}';
    expect(site(text, 'pages')).toEqual({
      planned: true,
      pages: { folder: 'public', prefix: '' },
      paths: ['public', 'other'],
      url: { literal: HERE },
    });
    const off = site('pages: {image: x, script: x, pages: false}', 'pages');
    expect(off).toEqual({ planned: undefined, pages: undefined, paths: undefined, url: { literal: HERE } });
  });
  test('true is enough, and published files are artifacts automatically', () => {
    expect(site(of('true'))).toMatchObject({ pages: { folder: 'public', prefix: '' }, paths: ['public'] });
    expect(site(of('{publish: "out/$D/"}', ', variables: {D: site}, artifacts: {paths: [a]}'))).toMatchObject(
      {
        pages: { folder: 'out/site' },
        paths: ['a', 'out/site'],
      },
    );
    expect(site(of('true', ', publish: dist'))).toMatchObject({ pages: { folder: 'dist' }, paths: ['dist'] });
  });
  test('path_prefix becomes a slug, is in CI_PAGES_URL, and expires after a day or expire_in', () => {
    const text = of('{path_prefix: "$CI_COMMIT_BRANCH"}', ', environment: {name: a, url: $CI_PAGES_URL}');
    const more = { trigger: { ref: 'Feature/New_Table' } };
    expect(site(text, 'j', more)).toMatchObject({
      pages: { folder: 'public', prefix: 'feature-new-table', expireInMs: 86_400_000 },
      url: { literal: `${HERE}/feature-new-table` },
    });
    expect(job(text, 'j', more).job.environment?.url).toBe(`${HERE}/feature-new-table`);
    const expires = (expire: string) =>
      site(of(`{path_prefix: a, expire_in: ${expire}}`, ', variables: {E: 1 week}')).pages?.expireInMs;
    expect([expires('never'), expires('"$E"'), expires('60')]).toEqual([undefined, 604_800_000, 60_000]);
  });
  test.each([
    [of('{publish: ../a}'), 'language/path'],
    [of('{publish: .}'), 'must name a folder'],
    [of('{expire_in: soon}'), 'must be a duration'],
    [of('{folder: a}'), 'has an unknown key "folder"'],
    [of('{publish: a}', ', publish: b'), 'set the same folder'],
    [of('false', ', publish: b'), 'pages: true'],
    ['j: {build: {}, pages: true}', 'cannot have pages'],
  ])('%s is refused', (text, words) => expect(mistakes(text).join()).toContain(words));
  test('an address contains no secret', () => {
    const variables = [{ name: 'S', value: { literal: 'x' }, masked: true, file: false }];
    expect(mistakes(of('{path_prefix: "$S"}'), { project: { variables } }).join()).toContain(
      'language/secret',
    );
  });
  test('later jobs get published files like any artifact', () => {
    const { job: after } = job(`${of('true')}\nk: {stage: deploy, image: x, script: x}`, 'k');
    expect(after.artifactsFrom).toEqual(['j']);
  });
});
