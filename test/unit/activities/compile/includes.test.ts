/** What a pipeline's includes were answered is kept once: `openPins`. */
import { expect, test } from 'vitest';
import { openPins } from '../../../../activities/compile/includes.ts';
import { includeKey, type IncludeWant } from '../../../../src/plan/model/includes.ts';
import { includesRecordName } from '../../../../src/plan/model/records.ts';
import { json, memoryBlobs, memoryRecords } from '../fakes.ts';

const WANT: IncludeWant = { kind: 'ref', repository: { path: 'team/ci' } };
const KEY = includeKey(WANT);

function world() {
  const deps = { blobs: memoryBlobs(), records: memoryRecords() };
  const asked: string[] = [];
  const open = (said: string) =>
    openPins(deps, 'table/7', {
      trigger: {},
      elsewhere: async (wants) => {
        asked.push(`${said} ${wants.map(includeKey).join()}`);
        return Object.fromEntries(wants.map((want) => [includeKey(want), { sha: said }]));
      },
      changed: async (names) => {
        asked.push(`${said} changed ${names.join()}`);
        return { main: [said] };
      },
    });
  return { ...deps, asked, open };
}

test('a question is asked once, and an unknown ref is an answer too', async () => {
  const { asked, open } = world();
  const pins = await open('one');
  expect(await pins.elsewhere([WANT])).toEqual({ [KEY]: { sha: 'one' } });
  await pins.elsewhere([WANT]);
  expect(await pins.changed(['main', 'gone', 'constructor'])).toEqual({ main: ['one'] });
  expect(await pins.changed(['gone', 'main'])).toEqual({ main: ['one'] });
  expect(asked).toEqual([`one ${KEY}`, 'one changed main,gone,constructor']);
});

test('of two concurrent attempts both use the answers that were stored first', async () => {
  const { asked, open } = world();
  const [one, two] = [await open('one'), await open('two')];
  for (const pins of [one, two]) {
    await pins.elsewhere([WANT]);
    await pins.changed(['main']);
  }
  expect([await one.keep(), await two.keep()]).toEqual([true, false]);
  expect([await two.elsewhere([WANT]), await two.changed(['main'])]).toEqual([
    { [KEY]: { sha: 'one' } },
    { main: ['one'] },
  ]);
  expect(await two.keep()).toBe(true);
  const third = await open('three');
  await third.elsewhere([WANT]);
  expect(asked.filter((line) => line.startsWith('three'))).toEqual([]);
});

test('nothing is written for a pipeline without questions; answers of an earlier version are used', async () => {
  const { asked, blobs, records, open } = world();
  expect(await (await open('one')).keep()).toBe(true);
  expect(records.all.size).toBe(0);
  const answers = await blobs.putBytes(json({ [KEY]: { sha: 'earlier' } }));
  await records.put(includesRecordName('table/7'), { answers });
  const pins = await open('two');
  expect(await pins.elsewhere([WANT])).toEqual({ [KEY]: { sha: 'earlier' } });
  expect(await pins.changed(['main'])).toEqual({ main: ['two'] });
  expect(asked).toEqual(['two changed main']);
  expect(await pins.keep()).toBe(true);
});
