/** `davit config` and `davit schema`: the merged file, and the schema. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Problems } from '../../../src/compiler/problems.ts';
import { languageSchema } from '../../../src/compiler/schema/json-schema.ts';
import { mergedYaml } from '../../../src/compiler/merged-yaml.ts';
import { ROOT } from '../../support/source.ts';
import { job, jobs, request } from './helpers.ts';

const TEXT = `
include: a.yml
default: {image: alpine, retry: 1}
variables: {YES: "yes", OCTAL: "0777", SYMBOL: ":a", REAL: 1.0, TIME: "1:30", MARK: "a: b # c"}
stages: [test]
.t: {variables: {A: "1", B: "2"}, after_script: [bye]}
j:
  extends: [.t, .i]
  script: [!reference [.s, script], last]
  variables: {B: "3"}
  after_script: null
k: {script: [x], inherit: {default: [image]}}
`;
const included = { 'a.yml': '.i: {tags: [big]}\n.s: {script: ["one", "two"]}' };

describe('the whole file', () => {
  const problems = new Problems();
  const whole = mergedYaml(request(TEXT, { included }), problems) ?? '';
  test('has no include, extends, !reference, default or hidden jobs', () => {
    expect(problems.all()).toEqual([]);
    expect(whole).not.toMatch(/^include|extends|!reference|^default|^\.|after_script/m);
    expect(whole).toMatch(/^j:\n/m);
  });
  test('makes the same jobs', () => {
    for (const name of ['j', 'k']) expect(job(whole, name).spec).toEqual(job(TEXT, name, { included }).spec);
  });
  test('does not exist for a file with mistakes', () => {
    const found = new Problems();
    expect(mergedYaml(request('j: {image: x, script: 7}'), found)).toBeUndefined();
    expect(found.hasErrors).toBe(true);
  });
});

describe('of real pipeline files', () => {
  const files = globSync(['examples/*/.gitlab-ci.yml', 'test/fixtures/pipelines/*.yml'], { cwd: ROOT });
  const more = { defaultImage: 'x', targets: ['tablemaster', 'local-swarm'] };
  const wholeOf = (text: string): string => mergedYaml(request(text, more), new Problems()) ?? '';
  /** Its places are those of another text. */
  const meaning = (text: string): unknown =>
    Object.entries(jobs(text, more)).map(([name, { places: _places, ...rest }]) => [name, rest]);
  test('exist', () => expect(files.length).toBeGreaterThan(3));
  test.each(files)('%s has the same meaning, and is unchanged when printed again', (path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const whole = wholeOf(text);
    expect(wholeOf(whole)).toBe(whole);
    expect(meaning(whole)).toEqual(meaning(text));
  });
});

test('the schema has the keywords of GitLab and of davit, and nothing that is not supported', () => {
  const text = JSON.stringify(languageSchema());
  expect(languageSchema()).toMatchObject({
    properties: { stages: {}, include: {}, default: { properties: { image: {} } } },
    additionalProperties: { properties: { script: {}, gate: {}, build: {}, needs: {} } },
  });
  expect(text).not.toContain('"id_tokens":');
  expect(text.length).toBeGreaterThan(5_000);
});
