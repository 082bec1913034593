/** Names of a project that the installation file does not know: those of the working tree's remote. */
import { expect, test } from 'vitest';
import { job, keysOf, variable, type Overrides } from '../helpers.ts';

const TEXT = 'j: {image: x, script: x}';
const values = (more: Overrides, ...names: string[]): (string | undefined)[] =>
  names.map((name) => variable(job(TEXT, 'j', more), name));
const at = (host: string, path: string, plain?: true): Overrides => ({
  trigger: { origin: { host, path, ...(plain && { plain }) } },
});

test('all names of the project and its host agree', () => {
  const PROJECT = [
    'CI_PROJECT_PATH',
    'CI_PROJECT_NAMESPACE',
    'CI_PROJECT_ROOT_NAMESPACE',
    'CI_PROJECT_NAME',
    'CI_PROJECT_PATH_SLUG',
    'CI_PROJECT_URL',
  ];
  const SERVER = [
    'CI_SERVER_URL',
    'CI_SERVER_FQDN',
    'CI_SERVER_HOST',
    'CI_SERVER_PORT',
    'CI_SERVER_PROTOCOL',
  ];
  expect(values(at('gitlab.com', 'g/sub/p'), ...PROJECT)).toEqual([
    'g/sub/p',
    'g/sub',
    'g',
    'p',
    'g-sub-p',
    'https://gitlab.com/g/sub/p',
  ]);
  expect(values(at('gitlab.com', 'g/p'), ...SERVER)).toEqual([
    'https://gitlab.com',
    'gitlab.com',
    'gitlab.com',
    '443',
    'https',
  ]);
  expect(values(at('lan:8080', 'g/p', true), ...SERVER)).toEqual([
    'http://lan:8080',
    'lan:8080',
    'lan',
    '8080',
    'http',
  ]);
});

test('the installation file is above the remote', () => {
  const known = { ...at('gitlab.com', 'g/p'), project: { path: 'team/known' } };
  expect(values(known, 'CI_PROJECT_PATH', 'CI_SERVER_HOST')).toEqual(['team/known', '127.0.0.1']);
});

test('only and except with the name of a project', () => {
  const only = (project: string): string => `j: {image: x, script: x, only: ["main@${project}"]}`;
  expect(keysOf(only('g/p'), at('gitlab.com', 'g/p'))).toEqual(['j']);
  expect(keysOf(only('g/other'), at('gitlab.com', 'g/p'))).toEqual([]);
  expect(keysOf(only('g/p'), { ...at('gitlab.com', 'g/p'), project: { path: 'g/known' } })).toEqual([]);
});

test('in a merge request that is tried out', () => {
  const merge = {
    ...at('gitlab.com', 'g/p'),
    trigger: {
      ...at('gitlab.com', 'g/p').trigger,
      ref: 'f',
      refKind: 'merge_request' as const,
      source: 'merge_request' as const,
      mergeRequest: {
        iid: 1,
        sourceBranch: 'f',
        targetBranch: 'main',
        sourceSha: 'a'.repeat(40),
        title: 't',
      },
    },
  };
  const text = 'j: {image: x, script: x, rules: [{if: $CI_MERGE_REQUEST_PROJECT_PATH == $CI_PROJECT_PATH}]}';
  expect(keysOf(text, merge)).toEqual(['j']);
});
