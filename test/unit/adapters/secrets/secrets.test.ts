import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deriveSealKey, localSecrets } from '../../../../src/adapters/secrets/index.ts';

const secrets = localSecrets({
  sealKey: deriveSealKey('the token of all workers'),
  readEnv: (name) => ({ THERE: 'value', EMPTY: '' })[name],
});

test('env and file references are resolved at the moment of use; errors name the reference only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-secrets-'));
  try {
    const path = join(folder, 'token');
    await writeFile(path, 'first\n');
    expect(await secrets.resolve(`file:${path}`)).toBe('first');
    await writeFile(path, '-----BEGIN\nline\n\n');
    expect(await secrets.resolve(`file:${path}`)).toBe('-----BEGIN\nline\n');
    await writeFile(path, '\n');
    await expect(secrets.resolve(`file:${path}`)).rejects.toMatchObject({ code: 'secret/missing' });
    await expect(secrets.resolve(`file:${folder}`)).rejects.toMatchObject({ code: 'secret/missing' });
  } finally {
    await rm(folder, { recursive: true });
  }
  expect(await secrets.resolve('env:THERE')).toBe('value');
  for (const ref of ['env:EMPTY', 'env:NOT', 'file:/nowhere/at/all'] as const)
    await expect(secrets.resolve(ref)).rejects.toThrow(ref);
});

test('a sealed value opens with the same token only, and never after a bit was changed', () => {
  const other = localSecrets({ sealKey: deriveSealKey('another token'), readEnv: () => undefined });
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(), (plain, at) => {
      const sealed = secrets.seal(plain);
      expect(Buffer.from(secrets.unseal(sealed))).toEqual(Buffer.from(plain));
      expect(() => other.unseal(sealed)).toThrow('cannot be opened');
      const changed = Uint8Array.from(sealed);
      const index = at % changed.length;
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => secrets.unseal(changed)).toThrow();
    }),
  );
  expect(secrets.seal(Buffer.from('x'))).not.toEqual(secrets.seal(Buffer.from('x')));
});
