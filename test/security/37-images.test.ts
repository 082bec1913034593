/** Rows 36 and 37: whose images a project may name. */
import { describe, expect, test } from 'vitest';
import { digestIn, imageRefusal, isNamed } from '../../src/match/image-permission.ts';

const HOST = '127.0.0.1:5000';
const rules = {
  registries: [{ host: 'other.test' }, { host: HOST, default: true }],
  projects: [
    { name: 'alpha' },
    { name: 'beta' },
    { name: 'base', images_to: ['alpha'] },
    { name: 'open', images_to: ['*'] },
  ],
};
const refused = (image: string, more: object = {}): boolean =>
  imageRefusal(image, { project: 'alpha', fork: false, ...more }, rules) !== undefined;

describe('an image of the installation’s registry', () => {
  test('is for its project, and for those that it names', () => {
    for (const image of ['alpha', 'alpha/x:1', 'base/node:20', 'open', 'nobody/x', 'forks/alpha/x'])
      expect([image, refused(`${HOST}/${image}`)]).toEqual([image, false]);
    for (const image of ['beta:private', 'beta/a/b@sha256:'.concat('0'.repeat(64)), 'forks/beta'])
      expect([image, refused(`${HOST}/${image}`)]).toEqual([image, true]);
    expect(refused(`${HOST}/base`, { project: 'beta' })).toBe(true);
    expect(imageRefusal(`${HOST}/beta`, { project: 'alpha', fork: false }, rules)).toContain('images_to');
  });
  test('is for a fork only where it is its own or for everybody', () => {
    const fork = { fork: true };
    for (const image of ['forks/alpha', 'forks/alpha/img', 'open/x'])
      expect([image, refused(`${HOST}/${image}`, fork)]).toEqual([image, false]);
    for (const image of ['alpha:1', 'alpha/pipelines/x', 'base', 'beta', 'nobody/x', 'forks/beta'])
      expect([image, refused(`${HOST}/${image}`, fork)]).toEqual([image, true]);
  });
  test('is for the operator with his own tree; other registries decide for themselves', () => {
    expect(refused(`${HOST}/beta`, { local: true })).toBe(false);
    for (const image of ['other.test/beta', 'beta', 'docker.io/beta/x']) expect(refused(image)).toBe(false);
    expect(refused('other.test/beta', { fork: true })).toBe(false);
  });
});

test('the name of an image is no beginning of an id', () => {
  expect(isNamed('alpine', ['alpine:latest'])).toBe(true);
  expect(isNamed('docker.io/library/alpine:3', ['alpine:3'])).toBe(true);
  expect(isNamed('mine:1', ['localhost/mine:1'])).toBe(true);
  expect(isNamed('0123456789ab', ['secret:1'])).toBe(false);
  const digest = `sha256:${'a'.repeat(64)}`;
  expect(digestIn('r.test/a:1', [`r.test/b@${digest}`])).toBeUndefined();
  expect(digestIn('r.test/a:1', [`r.test/b@${digest}`, `r.test/a@${digest}`])).toBe(digest);
});
