/** Mechanisms that can be removed: at least one per invariant, and described in docs/reliability.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MECHANISMS, type Mechanism } from '../../faults/mechanisms.ts';
import { ROOT } from '../../support/source.ts';

const all = Object.entries(MECHANISMS).map(([name, one]): [string, Mechanism] => [name, one]);

test('each invariant has a mechanism that can be removed', () => {
  const broken = new Set(all.map(([, { breaks }]) => breaks));
  broken.delete('row');
  expect([...broken].toSorted()).toEqual(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9']);
});

test('docs/reliability.md lists exactly these, with what they break and the row that shows it', () => {
  const page = readFileSync(join(ROOT, 'docs', 'reliability.md'), 'utf8');
  const told = [...page.matchAll(/^\| (I\d|the row) \| `(.+?)` \| (.+?) \| .+ \| (\d+) \|$/gm)].map((found) =>
    found.slice(1, 5),
  );
  const known = all.map(([name, { breaks, is, row }]) => [
    breaks === 'row' ? 'the row' : breaks,
    name,
    is,
    String(row),
  ]);
  expect(told.toSorted()).toEqual(known.toSorted());
});
