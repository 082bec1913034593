import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChallenge, tokenAddress } from '../../../../src/adapters/registry/challenge.ts';
import {
  contentBytes,
  digestOf,
  indexBytes,
  indexEntries,
} from '../../../../src/adapters/registry/manifest.ts';
import { imageNameText, parseImageName } from '../../../../src/match/image-name.ts';

const DIGEST = `sha256:${'a'.repeat(64)}` as const;

describe('image names', () => {
  test.each([
    ['alpine', { host: 'docker.io', repository: 'library/alpine' }],
    ['alpine:3.20', { host: 'docker.io', repository: 'library/alpine', tag: '3.20' }],
    ['davit/helper:1', { host: 'docker.io', repository: 'davit/helper', tag: '1' }],
    ['localhost/x', { host: 'localhost', repository: 'x' }],
    ['127.0.0.1:5000/a/b/c:t', { host: '127.0.0.1:5000', repository: 'a/b/c', tag: 't' }],
    [`r.example/a@${DIGEST}`, { host: 'r.example', repository: 'a', digest: DIGEST }],
    [`r.example/a:t@${DIGEST}`, { host: 'r.example', repository: 'a', tag: 't', digest: DIGEST }],
    ['[::1]:5000/a', { host: '[::1]:5000', repository: 'a' }],
  ])('%s', (text, expected) => {
    expect(parseImageName(text)).toEqual(expected);
  });

  test.each([
    '',
    'Alpine',
    'a//b',
    'a:',
    'a:b c',
    '../x',
    'r.example/../x',
    'a@sha256:1',
    'a?b=c',
    'a/b#c',
    `a@${DIGEST}@x`,
    '-a',
    'r.example/',
  ])('"%s" is invalid', (text) => {
    expect(() => parseImageName(text)).toThrow(expect.objectContaining({ code: 'registry/name' }));
  });

  test('a full name parses to itself', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const name = fc.record(
      {
        host: fc.constantFrom('docker.io', 'r.example', '127.0.0.1:5000', 'localhost'),
        repository: fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/')),
        tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/),
      },
      { requiredKeys: ['host', 'repository', 'tag'] },
    );
    fc.assert(
      fc.property(name, (one) => {
        expect(parseImageName(imageNameText(one))).toEqual(one);
      }),
    );
  });
});

describe('challenges', () => {
  test('are read with their parameters, the next challenge left out', () => {
    const header =
      'Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push", Digest x="y"';
    expect(parseChallenge(header)).toMatchObject({
      scheme: 'bearer',
      realm: 'https://auth.example/token',
      scope: 'repository:a/b:pull,push',
    });
    expect(parseChallenge('Basic realm="a \\"b\\""')).toMatchObject({ scheme: 'basic', realm: 'a "b"' });
    expect(parseChallenge('Negotiate')).toBeUndefined();
  });

  test.each([
    ['https://auth.acme.example/token', 'https://r.acme.example/v2/', true],
    ['https://auth.docker.io/token', 'https://registry-1.docker.io/v2/', true],
    ['https://gitlab.com/jwt/auth', 'https://registry.gitlab.com/v2/', true],
    ['https://auth.evil.test/token', 'https://r.acme.example/v2/', false],
    ['https://evil.co.uk/token', 'https://r.co.uk/v2/', false],
    ['http://auth.example/token', 'https://r.example/v2/', false],
    ['http://r.example:5000/token', 'http://r.example:5000/v2/', true],
    ['http://r.example:5001/token', 'http://r.example:5000/v2/', false],
    ['http://127.0.0.1:9/token', 'http://127.0.0.1:5000/v2/', true],
    ['https://127.0.0.1/token', 'https://r.example/v2/', false],
    ['https://user:pw@auth.example/token', 'https://r.example/v2/', false],
    ['file:///etc/passwd', 'https://r.example/v2/', false],
    ['nonsense', 'https://r.example/v2/', false],
  ])('a token service at %s for %s may be asked: %s', (realm, registry, allowed) => {
    expect(tokenAddress(realm, new URL(registry)) !== undefined).toBe(allowed);
  });
});

describe('manifests', () => {
  const manifest = { digest: DIGEST, mediaType: 'application/vnd.oci.image.manifest.v1+json', sizeBytes: 7 };
  const platform = { os: 'linux', architecture: 'arm', variant: 'v6' } as const;

  test('an index has the same bytes for the same entries, and reads back', () => {
    const bytes = indexBytes([{ manifest, platform }], { b: '2', a: '1' });
    expect(digestOf(bytes)).toBe(digestOf(indexBytes([{ manifest, platform }], { a: '1', b: '2' })));
    expect(indexEntries(bytes)).toEqual([{ ...manifest, platform }]);
  });

  test('a layer that is named twice counts once', () => {
    const layer = (digit: string, size: number) => ({
      digest: `sha256:${digit.repeat(64)}`,
      mediaType: 'x',
      size,
    });
    const text = JSON.stringify({
      config: layer('1', 10),
      layers: [layer('2', 100), layer('2', 100), layer('3', 1)],
    });
    expect(contentBytes(Buffer.from(text))).toBe(111);
    expect(() => contentBytes(Buffer.from('{"canary":1'))).toThrow(
      expect.objectContaining({ code: 'registry/failed' }),
    );
  });
});
