/** Nothing of the language is silently ignored: the list of keywords, the docs, and GitLab's own list agree. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keysAt } from '../../../src/pipeline/schema/known.ts';
import { DEFAULT, JOB_KEYWORDS, KEYWORDS, TOP } from '../../../src/pipeline/schema/keywords.ts';
import { FAILURE_KINDS } from '../../../src/plan/outcome.ts';
import { RETRY_REASONS } from '../../../src/plan/retry.ts';
import { RETRY_WHEN } from '../../../src/pipeline/schema/flow.ts';
import { job, mistakes, run } from './helpers.ts';
import { WITHOUT_EFFECT } from '../../../src/pipeline/lint/runner-variables.ts';
import { PREDEFINED } from './predefined-names.ts';

const ROOT = join(import.meta.dirname, '../../..');
const docs = readFileSync(join(ROOT, 'docs/language.md'), 'utf8');
const rows = docs.split('\n').flatMap((line) => {
  const cells = line.split('|').map((cell) => cell.trim());
  return cells.length >= 6 && /^`[a-z_]+`$/.test(cells[1] ?? '') ? [cells.slice(1, 5)] : [];
});
const STATUS = {
  same: 'same as GitLab',
  differs: 'differs',
  davit: "davit's own",
  refused: 'refused',
} as const;

describe('docs/language.md', () => {
  test('has one row for each keyword, with the same words', () => {
    expect(rows).toEqual(
      KEYWORDS.map((keyword) => [
        `\`${keyword.name}\``,
        keyword.in.map((where) => (where === 'top' ? 'file' : where)).join(', '),
        STATUS[keyword.status],
        keyword.note ?? '',
      ]),
    );
  });
  test('says for each failure which reasons stand for it', () => {
    const table = docs.slice(docs.indexOf('## Failures'));
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
    for (const { name } of compiled.spec.variables) expect(docs).toContain(`\`${name}\``);
  });
  test('says of every predefined variable of GitLab what it is, or why it is absent', () => {
    const table = docs.slice(docs.indexOf('### Predefined'), docs.indexOf('## Failures'));
    const said = new Set([...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((found) => found[1] ?? ''));
    expect(PREDEFINED.filter((name) => !said.has(name))).toEqual([]);
  });
  test('lists the variables of the runner that change nothing, with the same reasons', () => {
    const lines = docs
      .slice(docs.indexOf("Known to GitLab's runner"), docs.indexOf('### Predefined'))
      .split('\n');
    for (const [name, why] of Object.entries(WITHOUT_EFFECT)) {
      const line = lines.find((one) => one.split('|')[1]?.includes(`\`${name}\``));
      expect([name, line?.split('|')[2]?.replaceAll('`', '').trim()]).toEqual([
        name,
        why.replaceAll('`', ''),
      ]);
    }
  });
  test('its examples are valid', () => {
    const [first] = [...docs.matchAll(/```yaml\n(.*?)```/gs)].map((found) => found[1] ?? '');
    expect(mistakes(first ?? '')).toEqual([]);
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
  test('also where they come from default or a template; null takes them away', () => {
    expect(mistakes('default: {id_tokens: {}}\nj: {image: x, script: x}').join()).toContain(
      'language/refused 1:11',
    );
    const template = '.t: {secrets: {A: {vault: b}}}\nj: {extends: .t, image: x, script: x';
    expect(mistakes(`${template}}`).join()).toContain('language/refused 1:6 secrets');
    expect(mistakes(`${template}, secrets: null}`)).toEqual([]);
  });
  test('a hint says what to do instead', () => {
    const answer = run('j: {image: x, script: x, secrets: {A: {vault: b, file: false}}}');
    expect(answer.kind === 'invalid' && answer.problems[0]?.hint).toContain('secret: env:NAME');
  });
});

/** GitLab's own list is reference material that is not part of the project; where it is not there, there is nothing to ask. */
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
