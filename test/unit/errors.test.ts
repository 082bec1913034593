import { expect, test } from 'vitest';
import { DavitError, type ErrorCode, ERRORS, isTransient } from '../../src/errors.ts';

const CODES = Object.keys(ERRORS).filter((code): code is ErrorCode => Object.hasOwn(ERRORS, code));

test('transient errors are those that another attempt may avoid although nobody has changed anything', () => {
  expect(CODES.filter((code) => isTransient(new DavitError(code, 'It is so.')))).toEqual([
    'include/unreachable',
    'engine/unreachable',
    'registry/unreachable',
    'target/unreachable',
    'git/unreachable',
    'forge/away',
    'store/unreachable',
    'auth/too-often',
    'server/busy',
    'temporal/unreachable',
  ]);
  expect(isTransient(new Error('ECONNREFUSED'))).toBe(false);
});
