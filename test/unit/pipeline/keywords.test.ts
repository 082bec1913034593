/** Nothing of the language is silently ignored: the list of keywords, the docs, and GitLab's own list agree. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keysAt } from '../../../src/pipeline/schema/known.ts';
import { DEFAULT, JOB_KEYWORDS, KEYWORDS, TOP } from '../../../src/pipeline/schema/keywords.ts';
import { FAILURE_KINDS } from '../../../src/plan/outcome.ts';
import { RETRY_REASONS } from '../../../src/plan/retry.ts';
import { RETRY_WHEN } from '../../../src/pipeline/schema/flow.ts';
import { job, mistakes } from './helpers.ts';

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
  'not-yet': 'not yet',
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
      const line = table.split('\n').find((one) => one.startsWith(`| \`${kind}\` |`));
      expect(line).toBeDefined();
      expect([...(line ?? '').matchAll(/`([a-z_]+)`/g)].map((found) => found[1])).toEqual([
        kind,
        ...RETRY_REASONS[kind],
      ]);
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
  test('its examples are valid', () => {
    const [first] = [...docs.matchAll(/```yaml\n(.*?)```/gs)].map((found) => found[1] ?? '');
    expect(mistakes(first ?? '')).toEqual([]);
  });
});

describe('keywords', () => {
  const notYet = KEYWORDS.filter((keyword) => keyword.status === 'not-yet');
  test.each(notYet.filter((keyword) => keyword.in.includes('job')).map((keyword) => keyword.name))(
    '%s in a job is refused by name',
    (name) => {
      expect(mistakes(`j: {image: x, script: x, ${name}: {}}`)).toEqual([
        `language/not-yet 1:26 ${name} is not supported yet`,
      ]);
    },
  );
  test.each(notYet.filter((keyword) => keyword.in.includes('top')).map((keyword) => keyword.name))(
    '%s in the file is refused by name',
    (name) => {
      expect(mistakes(`${name}: {}\nj: {image: x, script: x}`)).toEqual([
        `language/not-yet 1:1 ${name} is not supported yet`,
      ]);
    },
  );
  test.each(notYet.filter((keyword) => keyword.in.includes('default')).map((keyword) => keyword.name))(
    '%s in default is refused by name',
    (name) => {
      expect(mistakes(`default: {${name}: {}}\nj: {image: x, script: x}`)).toEqual([
        `language/not-yet 1:11 ${name} is not supported yet`,
      ]);
    },
  );
});

const SCHEMA = join(ROOT, '../shared/gitlab-ci.schema.json');
interface Schema {
  properties: Record<string, Schema>;
  definitions: Record<string, Schema>;
  oneOf?: Schema[];
}

describe.skipIf(!existsSync(SCHEMA))("GitLab's own list of keywords", () => {
  const schema: Schema = existsSync(SCHEMA)
    ? JSON.parse(readFileSync(SCHEMA, 'utf8'))
    : { properties: {}, definitions: {} };
  test('every keyword of the file is known', () => {
    const names = Object.keys(schema.properties).filter(
      (name) => !name.startsWith('$') && name !== '!reference',
    );
    expect(names.filter((name) => !TOP.has(name))).toEqual([]);
  });
  test('every keyword of a job is known', () => {
    expect(
      Object.keys(schema.definitions.job_template?.properties ?? {}).filter(
        (name) => !JOB_KEYWORDS.has(name),
      ),
    ).toEqual([]);
  });
  test('every keyword of default is known', () => {
    expect(
      Object.keys(schema.properties.default?.properties ?? {}).filter(
        (name) => name !== '!reference' && !DEFAULT.has(name),
      ),
    ).toEqual([]);
  });
  test('every part of a supported keyword is known', () => {
    for (const name of ['image', 'artifacts', 'retry', 'filter']) {
      const shape = schema.definitions[name];
      const parts = [shape, ...(shape?.oneOf ?? [])].flatMap((one) => Object.keys(one?.properties ?? {}));
      const own = JOB_KEYWORDS.get(name === 'filter' ? 'only' : name)?.schema;
      expect(parts.filter((part) => own && !keysAt(own, []).includes(part))).toEqual([]);
    }
  });
});
