import { expect, test } from 'vitest';
import { withWishes } from '../../../../src/local/machines/worker-file.ts';

const FILE = 'worker.yml';

test('what is asked for is set, and the rest of the file stays', () => {
  const before = '# ours\nslots: 2 # few\ndevices:\n  gpio: [/dev/gpiochip0]\n';
  expect(withWishes(before, { tags: ['gpio'], slots: 3 }, FILE)).toBe(
    '# ours\nslots: 3 # few\ndevices:\n  gpio: [/dev/gpiochip0]\ntags:\n  - gpio\n',
  );
});

test('without a wish a file stays as it is, byte by byte', () => {
  const before = 'tags:   [a]\n';
  expect(withWishes(before, {}, FILE)).toBe(before);
  expect(withWishes(before, { tags: ['a'] }, FILE)).toBe(before);
});

test('a new file says where its fields are explained', () => {
  expect(withWishes(undefined, {}, FILE)).toMatch(/^# .+installation\.md/);
  expect(withWishes(undefined, { variant: 'v7' }, FILE)).toMatch(/\nvariant: v7\n$/);
});

test('a file with a mistake is refused with its place', () => {
  expect(() => withWishes('slotz: 3\n', { tags: ['a'] }, FILE)).toThrow(/slotz/);
});
