/**
 * The packages that examples/base fetches, for the bed of a fleet (test/bed), where nothing reaches Debian's mirrors.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../src/utils/sha256.ts';
import { ROOT } from '../support/source.ts';
import type { Part } from './part.ts';

const FETCH = join(ROOT, 'examples', 'base', 'fetch.sh');
/** A mirror has it there. */
export const PACKAGE_FOLDER = 'debian/pool/main/b/busybox';

/** Debian's own files, named and checked as examples/base does. */
export const basePackagesPart: Part = {
  name: 'base-packages',
  files: ['complete'],
  async make({ folder, progress }) {
    const script = await readFile(FETCH, 'utf8');
    const version = /^VERSION=(\S+)$/m.exec(script)?.[1];
    const mirrors = (/^MIRRORS="([^"]*)"$/m.exec(script)?.[1] ?? '')
      .replace(/\$\{DEBIAN_MIRROR:-([^}]*)\}/, '$1')
      .split(' ');
    for (const [, arch, , digest] of script.matchAll(/^unpack (\S+) +(\S+) +([0-9a-f]{64})$/gm)) {
      const name = `busybox-static_${version}_${arch}.deb`;
      await progress.step(name, async () => {
        const bytes = await firstGood(
          mirrors.map((mirror) => `${mirror}/pool/main/b/busybox/${name}`),
          digest ?? '',
        );
        await writeFile(join(folder, name), bytes);
      });
    }
    await writeFile(join(folder, 'complete'), '');
  },
};

async function firstGood(urls: readonly string[], digest: string): Promise<Uint8Array> {
  const reasons: string[] = [];
  for (const url of urls)
    try {
      const reply = await fetch(url, { signal: AbortSignal.timeout(120_000) });
      const bytes = new Uint8Array(await reply.arrayBuffer());
      if (reply.ok && sha256(bytes) === digest) return bytes;
      reasons.push(`${url}: ${reply.status}, another file`);
    } catch (error) {
      reasons.push(`${url}: ${String(error)}`); // the next mirror may have it
    }
  throw new Error(reasons.join('; '));
}
