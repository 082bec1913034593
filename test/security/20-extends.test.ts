/** Row 20: a chain of `extends` is a mistake of the file, however long. */
import { expect, test } from 'vitest';
import { testCompiler } from '../support/compiler.ts';
import { mistakes } from '../unit/compiler/helpers.ts';
import { asActivity, testFacts } from '../unit/activities/fakes.ts';
import { makeRepository, pushOf } from './world.ts';

test.each([12, 3_000, 50_000])('%i levels of extends', (levels) => {
  const chain = Array.from({ length: levels }, (_, index) => `.t${index}: {extends: .t${index + 1}}`);
  const text = [...chain, `.t${levels}: {image: x}`, 'j: {extends: .t0, script: [echo]}'].join('\n');
  expect(mistakes(text).join('\n')).toContain('more than 11 levels');
});

test('a file that ends the stack is a mistake, and is not compiled again', async () => {
  const repository = await makeRepository("include: {remote: 'https://files.test/deep.yml'}");
  try {
    const answer = async () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    const facts = testFacts({
      projects: [{ name: 'table', clone_url: repository.url }],
      registries: [{ host: '127.0.0.1:5000', default: true }],
    });
    const { compile } = testCompiler(facts, { includes: { open: () => ({ answer }) } });
    const input = { id: 'table/1', iid: 1, number: 12, trigger: pushOf(repository) } as const;
    expect(await asActivity(compile, input)).toMatchObject({
      kind: 'invalid',
      problems: [expect.stringContaining('nested deeper than davit reads')],
    });
  } finally {
    await repository.remove();
  }
});
