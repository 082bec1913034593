import { describe, expect, test } from 'vitest';
import { entriesOf, newEntries } from '../../../../src/local/upgrade/changelog.ts';
import { isBefore, upgradeFindings, type Here } from '../../../../src/local/upgrade/check.ts';
import { factsSchema, fieldsOf, unknownFields } from '../../../../src/local/upgrade/facts.ts';
import type { DavitVersion } from '../../../../src/local/upgrade/source.ts';

const RUNNING = `# Changelog
- not an entry

## [Unreleased]
### Added
- Old thing.

## [1.0.0] - 2026-01-01
### Fixed
- A mistake
  over two lines.
`;
const NEWER = `# Changelog
## [2.0.0] - 2026-02-01
### Added
- New thing.
- Old thing.
### Changed
- Works differently.
- **Breaking.** The port
  is another one.
### Removed
- A field.

## [1.0.0] - 2026-01-01
### Fixed
- A mistake
  over two lines.
`;

describe('the changelog', () => {
  test('entries have their section and are one line', () => {
    expect(entriesOf(RUNNING)).toEqual([
      { section: 'Added', text: 'Old thing.', breaking: false },
      { section: 'Fixed', text: 'A mistake over two lines.', breaking: false },
    ]);
  });

  test('what is new comes without what both have, breaking entries first', () => {
    expect(newEntries(NEWER, RUNNING).map(({ text, breaking }) => [text, breaking])).toEqual([
      ['The port is another one.', true],
      ['A field.', true],
      ['Works differently.', false],
      ['New thing.', false],
    ]);
    expect(newEntries(NEWER, NEWER)).toEqual([]);
  });
});

test('fields of a schema, and those of a document that it does not have', () => {
  const fields = fieldsOf({
    properties: {
      url: {},
      projects: { items: { anyOf: [{ properties: { name: {}, forge: {} } }] } },
      variables: { additionalProperties: { properties: { value: {} } } },
      limits: { $ref: '#/$defs/limits' },
    },
    $defs: { limits: { properties: { age: {} } } },
  });
  expect(fields).toEqual([
    ...['limits', 'limits.age', 'projects', 'projects[].forge', 'projects[].name'],
    ...['url', 'variables', 'variables.*', 'variables.*.value'],
  ]);
  const document = {
    url: 'x',
    projects: [{ name: 'a' }, { forge: 'none', gone: 1 }],
    variables: { ANY: { value: 'x', other: 1 } },
    limits: { age: 1, size: 2 },
    old: { deeper: 1 },
  };
  expect(unknownFields(document, fields)).toEqual([
    'projects[].gone',
    'variables.*.other',
    'limits.size',
    'old',
  ]);
  expect(unknownFields(undefined, fields)).toEqual([]);
});

const version = (more: object, node = '>=24'): DavitVersion => ({
  version: '2.0.0',
  node,
  changelog: '',
  facts: factsSchema.parse({ version: '2.0.0', ...more }),
});
const here = (more: Partial<Here> = {}): Here => ({
  running: version({ temporal: '1', workflows: ['a', 'b'], environment: ['DAVIT_HOME', 'DAVIT_OLD'] }),
  node: 'v24.1.0',
  installation: undefined,
  environment: [],
  engine: { kind: 'docker', version: '20.10.24+dfsg1' },
  ownTemporal: true,
  openPipelines: [],
  ...more,
});
const failed = (of: Here, newer: DavitVersion): string[] =>
  upgradeFindings(of, newer)
    .filter(({ verdict }) => verdict === 'fail')
    .map(({ name }) => name);
const SAME = { temporal: '1', workflows: ['a', 'b'], environment: ['DAVIT_HOME'], settings: ['url'] };

test.each([
  ['nothing', here({ installation: { url: 'x' }, openPipelines: ['table/1'] }), version(SAME), []],
  ['an older Node', here({ node: 'v22.20.0' }), version(SAME), ['Node']],
  ['a field that is gone', here({ installation: { old: 1 } }), version(SAME), ['installation file']],
  ['a variable that is gone', here({ environment: ['DAVIT_OLD'] }), version(SAME), ['environment']],
  ['an old engine', here(), version({ ...SAME, engines: { docker: 25 } }), ['engine']],
  ['another database', here(), version({ ...SAME, temporal: '2' }), ['Temporal']],
  ['a Temporal elsewhere', here({ ownTemporal: false }), version({ ...SAME, temporal: '2' }), []],
  [
    'open pipelines and code that is gone',
    here({ openPipelines: ['table/1'] }),
    version({ ...SAME, workflows: ['b'] }),
    ['open pipelines'],
  ],
  ['code that is gone, without pipelines', here(), version({ ...SAME, workflows: ['b'] }), []],
])('%s stands in the way', (_what, of, newer, names) => {
  expect(failed(of, newer)).toEqual(names);
});

test('what could not be asked is said, and versions that do not run side by side', () => {
  const found = upgradeFindings(
    here({ engine: undefined, openPipelines: { unknown: 'davit is not running.' } }),
    version({ ...SAME, besides: '2.0.1' }),
  );
  expect(found.filter(({ verdict }) => verdict === 'warn').map(({ name }) => name)).toEqual([
    'engine',
    'open pipelines',
    'several processes',
  ]);
});

test('a version without facts is not taken for a harmless one', () => {
  const found = upgradeFindings(here({ installation: { old: 1 } }), { ...version({}), facts: undefined });
  expect(found).toContainEqual(expect.objectContaining({ name: 'facts', verdict: 'warn' }));
});

test.each([
  ['1.9.0', '1.10.0', true],
  ['1.10.0', '1.9.0', false],
  ['2.0.0', '2.0.0', false],
  ['24.1', '24.1.1', true],
  ['2.0.0-rc.1', '2.0.0', false],
])('%s is before %s: %s', (one, other, before) => {
  expect(isBefore(one, other)).toBe(before);
});
