import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inOrder } from '../../../../src/local/backup/contents.ts';
import { firstNumber } from '../../../../src/local/backup/epoch.ts';

const HOUR_MS = 3_600_000;

describe('the order of files', () => {
  test('what names something is read before what it names, and the state of a log before its bytes', () => {
    const blob = `data/blobs/sha256/aa/${'a'.repeat(64)}`;
    const layer = `registry/docker/registry/v2/blobs/sha256/aa/${'a'.repeat(64)}/data`;
    const tag = 'registry/docker/registry/v2/repositories/x/_manifests/tags/1/current/link';
    expect(
      inOrder([blob, layer, 'data/logs/a.log', 'data/logs/a.state', tag, 'data/records/a~.json']),
    ).toEqual(['data/logs/a.state', 'data/logs/a.log', 'data/records/a~.json', tag, layer, blob]);
  });
});

describe('the first number of an epoch', () => {
  test('is above every number that was given since the backup', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 0, max: 10_000 * HOUR_MS }),
        fc.option(fc.integer({ min: 1, max: 90_000_000 }), { nil: undefined }),
        (next, ageMs, after) => {
          const first = firstNumber({ next, ageMs, step: 1_000, ...(after !== undefined && { after }) });
          // A thousand in an hour, and in the one that has begun.
          const given = next - 1 + Math.floor((ageMs / HOUR_MS) * 1_000);
          expect(first).toBeGreaterThan(given);
          expect(first).toBeGreaterThan(after ?? 0);
          expect(first % 1_000).toBe(1);
        },
      ),
    );
  });

  test('of a later restore of the same backup is another one, an hour later', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(1_000 * HOUR_MS), (next, ageMs) => {
        const earlier = firstNumber({ next, ageMs, step: 1_000 });
        expect(firstNumber({ next, ageMs: ageMs + 1.01 * HOUR_MS, step: 1_000 })).toBeGreaterThan(earlier);
      }),
    );
  });
});
