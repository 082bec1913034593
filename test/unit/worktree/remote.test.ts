import fc from 'fast-check';
import { expect, test } from 'vitest';
import { originOf } from '../../../src/worktree/remote.ts';

test.each([
  ['https://gitlab.com/g/p.git', 'gitlab.com', 'g/p'],
  ['https://gitlab.com/g/sub/p', 'gitlab.com', 'g/sub/p'],
  ['https://user:token@GitLab.example.com:8443/g/p.git/', 'gitlab.example.com:8443', 'g/p'],
  ['http://gitlab.lan/g/p', 'gitlab.lan', 'g/p'],
  ['git@gitlab.com:g/p.git', 'gitlab.com', 'g/p'],
  ['gitlab.com:g/p', 'gitlab.com', 'g/p'],
  ['git@gitlab.com:/g/p.git', 'gitlab.com', 'g/p'],
  ['ssh://git@gitlab.com:2222/g/p.git', 'gitlab.com', 'g/p'],
  ['git://host/p.git', 'host', 'p'],
  ['https://host/g/my%2Dp', 'host', 'g/my-p'],
])('%s is %s and %s', (address, host, path) => expect(originOf(address)).toMatchObject({ host, path }));

test('http is kept', () => {
  expect(originOf('http://gitlab.lan/g/p')).toEqual({ host: 'gitlab.lan', path: 'g/p', plain: true });
  expect(originOf('https://gitlab.lan/g/p')).toEqual({ host: 'gitlab.lan', path: 'g/p' });
});

test.each([
  undefined,
  '',
  '/srv/git/p.git',
  '../p',
  './g:p',
  'file:///srv/p.git',
  'C:/git/p',
  'C:\\git\\p',
  'https://host',
  'https://host/',
  'ext::sh -c x',
  'https://host/a b',
])('%j is no forge', (address) => expect(originOf(address)).toBeUndefined());

test('never throws, and never shows credentials', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      originOf(text);
      expect(JSON.stringify(originOf(`https://user:s3cr3t@host/${text}`) ?? '')).not.toContain('s3cr3t');
    }),
  );
});
