/** No keyword is silently ignored: the list of keywords, the docs, and GitLab's own list agree. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keysAt } from '../../../../src/compiler/schema/validation/schema-keys.ts';
import { DEFAULT, JOB_KEYWORDS, KEYWORDS, TOP } from '../../../../src/compiler/schema/keyword-table.ts';
import { FAILURE_KINDS } from '../../../../src/plan/model/outcome.ts';
import { RETRY_REASONS } from '../../../../src/plan/policy/job-retry.ts';
import { RETRY_WHEN } from '../../../../src/compiler/schema/keywords/flow.ts';
import { job, mistakes, run } from '../helpers.ts';
import { WITHOUT_EFFECT } from '../../../../src/compiler/lint/runner-variables.ts';
import { PREDEFINED } from '../predefined-names.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const page = (name: string): string => readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8');

describe('docs/language', () => {
  test('lists for each failure the reasons that match it', () => {
    const table = page('language/failures');
    for (const kind of FAILURE_KINDS) {
      const lines = table.split('\n').filter((one) => one.startsWith(`| \`${kind}\` |`));
      const named = lines.map((line) => [...line.matchAll(/`([a-z_]+)`/g)].map((found) => found[1]));
      expect(named, kind).toEqual([[kind, ...RETRY_REASONS[kind]]]);
    }
    expect(
      Object.values(RETRY_REASONS)
        .flat()
        .filter((reason) => !(RETRY_WHEN as readonly string[]).includes(reason)),
    ).toEqual([]);
  });
  test('names every predefined variable', () => {
    const compiled = job(
      'j: {image: x, script: x, environment: {name: a, url: "http://b"}, arch: arm64}',
      'j',
    );
    const docs = page('language/variables');
    for (const { name } of compiled.spec.variables) expect(docs).toContain(`\`${name}\``);
  });
  test('lists every predefined variable of GitLab, or why it is absent', () => {
    const docs = page('language/variables');
    const table = docs.slice(docs.indexOf('## Predefined'));
    const said = new Set([...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((found) => found[1] ?? ''));
    expect(PREDEFINED.filter((name) => !said.has(name))).toEqual([]);
  });
  test('lists the variables of the runner that change nothing, with the same reasons', () => {
    const docs = page('language/variables');
    const lines = docs.slice(docs.indexOf('### Without effect'), docs.indexOf('## Predefined')).split('\n');
    for (const [name, why] of Object.entries(WITHOUT_EFFECT)) {
      const line = lines.find((one) => one.split('|')[1]?.includes(`\`${name}\``));
      expect([name, line?.split('|')[2]?.replaceAll('`', '').trim()]).toEqual([
        name,
        why.replaceAll('`', ''),
      ]);
    }
  });
  test('its first example is valid', () => {
    const [, first = ''] = /```yaml\n(.*?)```/s.exec(page('language')) ?? [];
    expect(first).not.toBe('');
    expect(mistakes(first)).toEqual([]);
  });
  /** Parts of a pipeline: jobs of other examples, files and projects are missing. */
  const ELSEWHERE =
    /^language\/(unknown-job|absent-job|unknown-stage|include|target|missing|no-image)|^include\/|there is no default$/;
  test.each(globSync('docs/language/*.md', { cwd: ROOT }))('the examples of %s are valid', (path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const wrong = [...text.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, example = '']) =>
      mistakes(example)
        .filter((one) => !ELSEWHERE.test(one))
        .map((one) => `${example}\n${one}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('keywords that are refused', () => {
  const refused = KEYWORDS.filter((keyword) => keyword.status === 'refused');
  test.each(refused.map((keyword) => [keyword.name, keyword.note] as const))(
    '%s by name, with the reason',
    (name, note) => {
      expect(mistakes(`j: {image: x, script: x, ${name}: {}}`)).toEqual([
        `language/refused 1:26 ${name} is refused: ${note}`,
      ]);
    },
  );
  test('also if they come from default or a template; null removes them', () => {
    expect(mistakes('default: {id_tokens: {}}\nj: {image: x, script: x}').join()).toContain(
      'language/refused 1:11',
    );
    const template = '.t: {secrets: {A: {vault: b}}}\nj: {extends: .t, image: x, script: x';
    expect(mistakes(`${template}}`).join()).toContain('language/refused 1:6 secrets');
    expect(mistakes(`${template}, secrets: null}`)).toEqual([]);
  });
  test('a hint names the alternative', () => {
    const answer = run('j: {image: x, script: x, secrets: {A: {vault: b, file: false}}}');
    expect(answer.kind === 'invalid' && answer.problems[0]?.hint).toContain('secret: env:NAME');
  });
});

/**
 * GitLab's own list is reference material that is not part of the project; if it is missing, there is nothing
 * to check.
 */
const SCHEMA = join(ROOT, '../shared/gitlab-ci.schema.json');
const schema: unknown = existsSync(SCHEMA) ? JSON.parse(readFileSync(SCHEMA, 'utf8')) : {};

/** The names below a path of the schema. */
function namesAt(...path: string[]): string[] {
  let here: unknown = schema;
  for (const step of path) here = Object.entries(here ?? {}).find(([name]) => name === step)?.[1];
  return Object.keys(here ?? {}).filter((name) => !name.startsWith('$') && name !== '!reference');
}

describe("GitLab's own list of keywords", () => {
  test('every keyword of the file is known', () => {
    expect(namesAt('properties').filter((name) => !TOP.has(name))).toEqual([]);
  });
  test('every keyword of a job is known', () => {
    const names = namesAt('definitions', 'job_template', 'properties');
    expect(names.filter((name) => !JOB_KEYWORDS.has(name))).toEqual([]);
  });
  test('every keyword of default is known', () => {
    expect(namesAt('properties', 'default', 'properties').filter((name) => !DEFAULT.has(name))).toEqual([]);
  });
  test.each([
    ['artifacts', ['artifacts', 'properties']],
    ['image', ['image', 'oneOf', '1', 'properties']],
    ['retry', ['retry', 'oneOf', '1', 'properties']],
    ['only', ['filter', 'oneOf', '2', 'properties']],
    ['release', ['job_template', 'properties', 'release', 'properties']],
    ['cache', ['cache_item', 'properties']],
    ['services', ['services', 'items', 'oneOf', '1', 'properties']],
    ['environment', ['job_template', 'properties', 'environment', 'oneOf', '1', 'properties']],
  ])('every part of %s is known', (name, path) => {
    const own = JOB_KEYWORDS.get(name)?.schema;
    const known = own ? [...keysAt(own, []), ...keysAt(own, [0])] : [];
    const parts = namesAt('definitions', ...path);
    expect(parts.length > 0).toBe(existsSync(SCHEMA));
    expect(parts.filter((part) => !known.includes(part))).toEqual([]);
  });
});
