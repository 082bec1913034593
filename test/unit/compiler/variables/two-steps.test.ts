/** References inside of references, and what is left to the runner: values as GitLab's server and runner make them together. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { job, variable, type Overrides } from '../helpers.ts';

const quoted = (text: string): string => JSON.stringify(text);
const withVars = (variables: Record<string, string>): string =>
  `j: {image: x, script: x, variables: {${Object.entries(variables)
    .map(([name, value]) => `${name}: ${quoted(value)}`)
    .join(', ')}}}`;
const valueOf = (variables: Record<string, string>, name: string, more: Overrides = {}): string | undefined =>
  variable(job(withVars(variables), 'j', more), name);

describe('a reference inside of another', () => {
  test.each([
    ['${URL_${ENV}}', 'url-dev'],
    ['${URL_$ENV}', 'url-dev'],
    ['a${URL_${ENV}}b', 'aurl-devb'],
    ['${URL_${NOBODY}}', '}'],
    ['$URL_${ENV}', 'url-dev'],
    ['${${ENV}}', 'dev'],
  ])('%s is %j', (written, expected) => {
    const variables = { ENV: 'DEV', URL_DEV: 'url-dev', DEV: 'dev', X: written };
    expect(valueOf(variables, 'X')).toBe(expected);
  });
  test('the inner value of another layer', () => {
    const project = { variables: [{ name: 'ENV', value: { literal: 'DEV' }, masked: false, file: false }] };
    expect(valueOf({ URL_DEV: 'u', X: '${URL_${ENV}}' }, 'X', { project })).toBe('u');
  });
  test('a secret that the built name means stays a reference', () => {
    const secret = { name: 'KEY_DEV', value: { secret: 'env:S' as const }, masked: true, file: false };
    const text = withVars({ ENV: 'DEV', X: '<${KEY_${ENV}}>' });
    const found = job(text, 'j', { project: { variables: [secret] } }).spec.variables.find(
      (one) => one.name === 'X',
    );
    expect(found).toMatchObject({ value: { literal: '<${KEY_DEV}>' }, late: true, masked: true });
  });
});

describe('what the shell would do with it, and a variable does not', () => {
  test.each([
    ['${G:-x}', ''],
    ['a${G:+x}b', 'ab'],
    ['${G%/*}/c', '/c'],
    ['$1-$#-$?', '--'],
    ['$$G', '$G'],
    ['${}x', 'x'],
    ['${G', 'G'],
    ['a$', 'a$'],
    ['$(date) $.', '$(date) $.'],
    ['^v\\d+$|x', '^v\\d+$|x'],
    ['%%G%% 100%', '%%G%% 100%'],
  ])('%s is %j', (written, expected) => expect(valueOf({ G: 'g', X: written }, 'X')).toBe(expected));
  test('a value that is not expanded keeps its text in another one', () => {
    const text = 'j: {image: x, script: x, variables: {R: {value: "${G:-x} $1", expand: false}, X: "<$R>"}}';
    expect(variable(job(text, 'j'), 'X')).toBe('<${G:-x} $1>');
  });
  test('predefined text keeps its dollars', () => {
    const more = { commit: { author: 'a', timestamp: 't', message: 'Costs $5 or ${X:-y}' } };
    expect(valueOf({ M: '<$CI_COMMIT_MESSAGE>' }, 'M', more)).toBe('<Costs $5 or ${X:-y}>');
  });
});

/** The same, for texts alone: the server's step for all variables, then the runner's. */
function asGitLab(variables: ReadonlyMap<string, string>, name: string): string {
  const server = (text: string): string =>
    text.replace(
      /\$\$|%%|\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)\}|%([A-Za-z_]\w*)%/g,
      (whole, ...groups: (string | undefined)[]) => {
        const value = variables.get(groups[0] ?? groups[1] ?? groups[2] ?? '');
        return value === undefined ? whole : server(value);
      },
    );
  const get = (key: string): string => (key === '$' ? '$' : server(variables.get(key) ?? ''));
  const runner = (text: string): string => {
    const found = /\$(?=.)/s.exec(text);
    if (!found) return text;
    const before = text.slice(0, found.index);
    const rest = text.slice(found.index + 1);
    const braced = /^\{([^}]*)\}/.exec(rest);
    if (braced) return before + get(braced[1] ?? '') + runner(rest.slice(braced[0].length));
    if (rest.startsWith('{')) return before + runner(rest.slice(1));
    const special = /^[*#$@!?\d-]/.exec(rest)?.[0];
    if (special !== undefined) return before + get(special) + runner(rest.slice(1));
    const word = /^\w+/.exec(rest)?.[0];
    return word === undefined
      ? `${before}$${runner(rest)}`
      : before + get(word) + runner(rest.slice(word.length));
  };
  return runner(server(variables.get(name) ?? ''));
}

test('any value is what GitLab makes of it', () => {
  const NAMES = ['A', 'B', 'A_B', 'C'];
  const sign = fc.constantFrom('$', '${', '}', '$$', '%', '{', '_', ':-', '1', ' ', 'x', ...NAMES, ...NAMES);
  const values = fc.array(
    fc.array(sign, { maxLength: 8 }).map((all) => all.join('')),
    { minLength: 4, maxLength: 4 },
  );
  fc.assert(
    fc.property(values, (texts) => {
      // A value refers to earlier names only: cycles are an error.
      const variables = new Map(
        NAMES.map((name, index) => {
          const later = NAMES.slice(index);
          const text = texts[index] ?? '';
          return [name, later.reduce((all, one) => all.replaceAll(one, 'x'), text)];
        }),
      );
      const record = Object.fromEntries(variables);
      const { spec } = job(withVars(record), 'j');
      for (const name of NAMES) {
        const found = spec.variables.find((one) => one.name === name)?.value;
        expect([name, record, found]).toEqual([name, record, { literal: asGitLab(variables, name) }]);
      }
    }),
    { numRuns: 2_000 },
  );
});
