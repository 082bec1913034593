/** `artifacts:reports:dotenv`: names and values that later jobs get as variables. */
import type { BlobStore, Engine } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import { isShellName } from '../start/supervisor-script.ts';
import { readContainerFile } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';

const MAX_BYTES = 64 * 1_024;

/** `NAME=value`, one per line. As in GitLab, quotes are part of the value. Rejects with `job/artifacts`. */
export function parseDotenv(text: string, file: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const found = /^(?:export\s+)?([^=\s]+)\s*=\s*(.*)$/.exec(line);
    if (!found?.[1] || !isShellName(found[1]))
      throw new DavitError(
        'job/artifacts',
        `${file}:${index + 1} is not NAME=value with a name that a shell can export.`,
        {
          hint: 'Write one NAME=value per line. A name has letters, digits and _, and does not begin with a digit.',
        },
      );
    values[found[1]] = found[2] ?? '';
  }
  return values;
}

/** Stores the merged reports; undefined if there is no file. */
export async function collectDotenv(
  from: { engine: Engine; blobs: BlobStore; container: string; projectDir: string },
  files: readonly string[],
): Promise<{ digest?: Digest; warnings: string[] }> {
  const warnings: string[] = [];
  const values: Record<string, string> = {};
  let any = false;
  for (const file of files) {
    const path = inside(file.replace(`${from.projectDir}/`, ''));
    const text = path
      ? await readContainerFile(from.engine, {
          container: from.container,
          path: `${from.projectDir}/${path}`,
          maxBytes: MAX_BYTES,
        })
      : undefined;
    if (text === undefined) {
      warnings.push(`reports: dotenv: ${file} does not exist.`);
      continue;
    }
    any = true;
    Object.assign(values, parseDotenv(text, file));
  }
  if (!any) return { warnings };
  return { digest: await from.blobs.putBytes(new TextEncoder().encode(JSON.stringify(values))), warnings };
}
