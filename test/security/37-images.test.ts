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

test('at the registry of a forge, images belong to projects by their names there', () => {
  const forge = {
    registries: [{ host: HOST, default: true, paths: 'repository' as const }],
    projects: [
      { name: 'shop', repository: 'Acme/Shop' },
      { name: 'acme', repository: 'acme/other' },
      { name: 'deep', repository: 'acme/shop/deep', images_to: ['acme'] },
    ],
  };
  const may = (image: string, project: string, fork = false): boolean =>
    imageRefusal(`${HOST}/${image}`, { project, fork }, forge) === undefined;
  for (const image of ['acme/shop:1', 'acme/shop/api', 'acme/unknown', 'shop'])
    expect([image, may(image, 'shop')]).toEqual([image, true]);
  for (const image of ['acme/other', 'acme/other/x', 'acme/shop/deep/x'])
    expect([image, may(image, 'shop')]).toEqual([image, false]);
  expect(may('acme/shop/deep/x', 'acme')).toBe(true);
  // The name of the project says nothing there, neither do names that only begin alike.
  expect(may('acme/shop', 'acme')).toBe(false);
  expect(may('acme/shopping', 'acme')).toBe(true);
  for (const image of ['acme/shop', 'acme/unknown']) expect(may(image, 'shop', true)).toBe(false);
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
