import { expect, test } from 'vitest';
import { VERSIONS } from '../../../workflows/versions.ts';
import { readSources } from '../../support/source.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A pipeline's longest default deadline, and Temporal's retention after it. */
const REPLAYED_DAYS = 60;

test('ids are those of recorded histories: they are added to, never changed', () => {
  expect(Object.values(VERSIONS).map((version) => version.id)).toEqual([
    'reconciled',
    'downstream-refused-again',
    'downstream-let-go',
    'downstream-void',
    'deploy-look',
    'deploy-outlives-workers',
    'log-of-a-lost-machine-closed',
    'no-space-once',
    'unheard',
    'epoch-raised',
    'older-commit-starts',
    'approvals-read-again',
    'stop-named',
    'compile-waits',
    'messages-proven',
    'ends-as-its-pipeline',
    'status-of-each-state',
    'waits-in-groups',
    'reordered-is-known',
    'push-before-its-deletion',
  ]);
});

test.each(Object.entries(VERSIONS))('%s stays until no pipeline from before it is replayed', (_, version) => {
  expect(new Date(version.since).toISOString()).toBe(`${version.since}T00:00:00.000Z`);
  if (version.removableFrom === undefined) return;
  const days = (Date.parse(version.removableFrom) - Date.parse(version.since)) / DAY_MS;
  expect(days).toBeGreaterThanOrEqual(REPLAYED_DAYS);
});

test('no other file asks Temporal for a version', () => {
  const files = readSources('workflows/**/*.ts').filter((file) =>
    /\b(patched|deprecatePatch)\b/.test(file.text),
  );
  expect(files.map((file) => file.path)).toEqual(['workflows/versions.ts']);
});
