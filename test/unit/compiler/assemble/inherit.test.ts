/** `inherit`: which of the file's defaults and variables apply to a job. */
import { describe, expect, test } from 'vitest';
import { job, mistakes, variable } from '../helpers.ts';

const file = (inherit: string): string => `
default: {image: alpine, retry: 2, before_script: [first]}
variables: {A: "1", B: "2"}
workflow: {rules: [{when: always, variables: {W: "3"}}]}
j: {image: busybox, script: [x], inherit: ${inherit}}
`;
const facts = (inherit: string) => {
  const found = job(file(inherit), 'j');
  const { spec } = found;
  return {
    script: spec.kind === 'script' ? spec.script : [],
    variables: ['A', 'B', 'W'].filter((name) => variable(found, name) !== undefined).join(''),
  };
};

describe('inherit', () => {
  test.each([
    ['{}', ['first', 'x'], 'ABW'],
    ['{default: true, variables: true}', ['first', 'x'], 'ABW'],
    ['{default: false}', ['x'], 'ABW'],
    ['{default: [retry]}', ['x'], 'ABW'],
    ['{default: [before_script], variables: [B]}', ['first', 'x'], 'B'],
    ['{variables: false}', ['first', 'x'], ''],
    ['{variables: [W, NONE]}', ['first', 'x'], 'W'],
  ])('%s', (inherit, script, variables) => {
    expect(facts(inherit)).toEqual({ script, variables });
  });
  test('by extends', () => {
    const text =
      'default: {before_script: [first]}\n.a: {inherit: {default: false}}\nj: {extends: .a, image: x, script: [x]}';
    expect(job(text, 'j').spec).toMatchObject({ script: ['x'] });
  });
  test('a name that default does not have', () => {
    expect(mistakes(file('{default: [imag]}'))[0]).toMatch(
      /^language\/type 5:54 inherit\.default\[0\] must be/,
    );
  });
});
