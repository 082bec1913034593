/**
 * Row 38: a service's variables are in the engine's description of its container, and the file's author is
 * warned.
 */
import { expect, test } from 'vitest';
import { run } from '../unit/compiler/helpers.ts';

const variables = [{ name: 'KEY', value: { secret: 'env:KEY' as const }, masked: true, file: false }];
const warnings = (services: string): string => {
  const answer = run(`j: {image: x, script: [echo], services: [${services}]}`, { project: { variables } });
  if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
  return answer.warnings.map((one) => one.message).join('\n');
};

test('a masked variable that a service is given is a warning', () => {
  expect(warnings('{name: db, variables: {PASSWORD: "$KEY"}}')).toContain('gets a masked value as PASSWORD');
  expect(warnings('{name: db, variables: {PASSWORD: plain}}')).toBe('');
});
