/** The cause of a mistake is told, not what follows from it, and a hint says what to do about this cause. */
import { describe, expect, test } from 'vitest';
import { parseDotenv } from '../../../activities/job/finish/dotenv-report.ts';
import { loadIncludes } from '../../../src/compiler/includes.ts';
import { KEYWORDS } from '../../../src/compiler/schema/keyword-table.ts';
import { EXAMPLES } from '../../../src/compiler/schema/validation/examples.ts';
import { ERRORS, type DavitError } from '../../../src/errors.ts';
import { mistakes, request, run, type Overrides } from './helpers.ts';

const hints = (text: string, more: Overrides = {}): (string | undefined)[] => {
  const answer = run(text, more);
  return answer.kind === 'invalid' ? answer.problems.map((one) => one.hint) : [];
};
const codes = (text: string): string[] => {
  const answer = run(text);
  return answer.kind === 'invalid' ? answer.problems.map((one) => `${one.place?.line} ${one.code}`) : [];
};

describe('what could not be found is told alone', () => {
  test.each([
    ['an alias', 'a: {script: x, image: *nope}', ['1 language/yaml']],
    ['an alias that is merged', 'a:\n  <<: *nope\n  image: x', ['2 language/yaml']],
    ['an alias in a list', 'a: {image: x, script: [*nope, y]}', ['1 language/yaml']],
    ['an alias for a needed key', 'a: {image: {name: *nope}, script: y}', ['1 language/yaml']],
    ['a template', 'a: {extends: .nope}', ['1 language/unknown-extends']],
    ['a template of a template', '.b: {extends: .nope}\na: {extends: .b}', ['1 language/unknown-extends']],
    ['one of two', '.b: {image: x}\na: {extends: [.b, .nope]}', ['2 language/unknown-extends']],
    ['a reference', 'a: {image: x, script: !reference [.nope, script]}', ['1 language/unknown-extends']],
    [
      'a reference for a map',
      'a: {script: x, image: !reference [.nope, image]}',
      ['1 language/unknown-extends'],
    ],
    [
      'a misspelt tag',
      '.b: {rules: [{if: $A}]}\na: {image: x, script: x, rules: !refrence [.b, rules]}',
      ['2 language/yaml'],
    ],
  ])('%s', (_, text, expected) => expect(codes(text)).toEqual(expected));
  test('and other mistakes of the job beside it', () => {
    expect(codes('a: {extends: .nope, stage: nowhere}')).toEqual([
      '1 language/unknown-extends',
      '1 language/unknown-stage',
    ]);
  });
});

describe('what was meant', () => {
  test.each([
    [
      'a tag',
      '.b: {script: [x]}\na: {image: x, script: !refrence [.b, script]}',
      'Did you mean "!reference"?',
    ],
    ['an alias', '.t: &template {image: x}\na: {script: x, <<: *tempalte}', 'Did you mean "template"?'],
  ])('%s', (_, text, expected) => expect(hints(text)).toEqual([expected]));
  test('an included file', () => {
    const more = { included: { 'ci/biuld.yml': null }, files: ['ci/build.yml', 'ci/build.sh'] };
    expect(hints('include: ci/biuld.yml\na: {image: x, script: x}', more)).toEqual([
      'Did you mean "ci/build.yml"?',
    ]);
  });
  test('the files are listed only when one is missing', async () => {
    let listed = 0;
    const source = (text: string | null) => ({
      read: async () => ({ 'a.yml': text }),
      list: async () => ((listed += 1), ['b.yml']),
      changed: async () => undefined,
      elsewhere: async () => ({}),
    });
    const asked = request('include: a.yml');
    expect((await loadIncludes(asked, source('{}'))).files).toBeUndefined();
    expect((await loadIncludes(asked, source(null))).files).toEqual(['b.yml']);
    expect(listed).toBe(1);
  });
});

describe('a hint names the cause', () => {
  test.each([
    ['a pattern without ]', "rules: [{if: '$A =~ /[a-z/'}]", /A \[ has no \]/],
    ['without )', "rules: [{if: '$A =~ /(a/'}]", /A \( has no \)/],
    ['in only', "only: ['/[a-z/']", /A \[ has no \]/],
    ['in coverage', "coverage: '/[a-z/'", /A \[ has no \]/],
    ['in changes', "rules: [{changes: {regexp: '[a-z'}}]", /A \[ has no \]/],
    ['with a star for nothing', "rules: [{if: '$A =~ /*a/'}]", /repeated/],
    ['with a look-ahead', "rules: [{if: '$A =~ /a(?=b)/'}]", /look-around/],
  ])('%s', (_, keys, expected) =>
    expect(hints(`a: {image: x, script: x, ${keys}}`).join()).toMatch(expected),
  );
  test('a dotenv variable in the name of an environment', () => {
    const text =
      'g: {image: x, stage: build, script: x, artifacts: {reports: {dotenv: v.env}}}\na: {image: x, script: x, environment: {name: review/$HOST}}';
    expect(mistakes(text).join()).toContain(
      'environment.name of "a" uses $HOST, which is known only when the job runs',
    );
    expect(hints(text).join()).toContain('not of a dotenv report');
  });
  test('a name in a dotenv report', () => {
    const hint = (): string | undefined => {
      try {
        parseDotenv('MY-NAME=x', 'v.env');
        return undefined;
      } catch (error) {
        return (error as DavitError).hint;
      }
    };
    expect(hint()).toContain('A name has letters, digits and _');
  });
});

describe('a wrong value has an example of a right one', () => {
  const known = KEYWORDS.filter(({ status }) => status !== 'refused');
  test('every keyword has one', () => {
    expect(known.map(({ name }) => name).filter((name) => EXAMPLES[name] === undefined)).toEqual([]);
  });
  test.each(known.filter(({ in: where }) => where.includes('job')).map(({ name }) => name))('%s', (name) => {
    const wrong = `j: {image: x, script: x, ${name}: {{}: x}}`.replace('{{}: x}', '[[{a: [b]}]]');
    const found = hints(wrong).filter((hint) => /^(?:For example|In YAML|It has: )/.test(hint ?? ''));
    expect(found.length).toBeGreaterThan(0);
  });
  test.each(Object.entries(EXAMPLES))('%s: the example is valid', (key, example) => {
    const top = ['stages', 'default', 'variables', 'workflow', 'include', 'spec'].includes(key);
    const script = ['script', 'trigger', 'build', 'push', 'deploy'].includes(key) ? '' : '\n  script: [x]';
    const more =
      key === 'start_in'
        ? '\n  when: delayed'
        : key === 'pages'
          ? '\n  artifacts: { paths: [public] }'
          : key === 'publish'
            ? '\n  pages: true'
            : key === 'deploy'
              ? '\n  tags: [tablemaster]'
              : '';
    const image = ['image', 'trigger', 'build', 'push', 'deploy'].includes(key) ? '' : '\n  image: x';
    const others = `build: { stage: build, build: { platforms: [arm64] } }\n.template: { image: x }\n`;
    const text = top
      ? `${key === 'spec' ? `${example}\n---\n` : `${example}\n`}j: { image: x, script: [x] }`
      : `${others}j:\n  stage: deploy\n  ${example}${script}${image}${more}`.replace(
          key === 'stage' ? '  stage: deploy\n' : '\0',
          '',
        );
    const included = { 'ci/build.yml': '{}', 'ci/child.yml': 'c: {image: x, script: x}' };
    expect(mistakes(text, { included })).toEqual([]);
  });
});

test('no remedy only names a page', () => {
  const only = Object.entries(ERRORS).filter(
    ([code, { remedy }]) => code.startsWith('language/') && /^(?:See )?`?docs\//i.test(remedy),
  );
  expect(only.map(([code]) => code)).toEqual([]);
});
