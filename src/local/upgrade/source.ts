/** Reads what a version of davit says of itself: a checkout, a package's archive, or the npm registry. Runs nothing of it. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { removeTempFolder, tempFolder } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';
import { outputTail, runCommand, which } from '../process/exec.ts';
import { factsSchema, type VersionFacts } from './facts.ts';

const PACKAGE = 'davit-ci';
const MAX_FILE = 4 * 1024 * 1024;
const NPM_MS = 60_000;
const FILES = ['package.json', 'CHANGELOG.md', 'docs/upgrade.json'] as const;

const manifestSchema = z.object({
  name: z.literal(PACKAGE),
  version: z.string(),
  engines: z.object({ node: z.string().optional() }).default({}),
});

export interface DavitVersion {
  version: string;
  /** The range of Node that its package asks for. */
  node?: string | undefined;
  changelog: string;
  /** Undefined: it is older than these facts. */
  facts: VersionFacts | undefined;
}

/** A folder or an archive. Rejects with `upgrade/unreadable`. */
export async function readVersion(path: string): Promise<DavitVersion> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    return versionOf(await (isFolder ? fromFolder(path) : fromArchive(path)));
  } catch (cause) {
    throw new DavitError('upgrade/unreadable', `${path} is not a version of davit: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * From the npm registry that npm is configured for. Rejects with `upgrade/not-published`, `upgrade/unreachable`,
 * `upgrade/unreadable`.
 */
export async function publishedVersion(
  settings: Pick<Settings, 'path'>,
  wanted: string,
): Promise<DavitVersion> {
  if (!/^[0-9A-Za-z.+-]{1,64}$/.test(wanted))
    throw new DavitError('usage/invalid', `"${wanted}" is not a version.`, {
      hint: 'A version such as 1.2.3, or latest. A file or a folder is --from PATH.',
    });
  const npm = await which(settings, 'npm');
  if (npm === undefined)
    throw new DavitError(
      'upgrade/unreachable',
      'npm is not on the PATH, so the npm registry cannot be asked.',
    );
  const folder = await tempFolder('upgrade');
  try {
    const args = ['pack', `${PACKAGE}@${wanted}`, '--json', '--ignore-scripts', '--fetch-retries=0'];
    const done = await runCommand(npm, [...args, '--pack-destination', folder], {
      timeoutMs: NPM_MS,
      cwd: folder,
    });
    if (done.code !== 0) {
      if (/\bE404\b|\bETARGET\b/.test(`${done.stdout}${done.stderr}`))
        throw new DavitError('upgrade/not-published', `The npm registry has no ${PACKAGE}@${wanted}.`);
      const code = /npm (?:error|ERR!) code (\S+)/.exec(done.stderr)?.[1] ?? outputTail(done);
      throw new DavitError('upgrade/unreachable', `The npm registry does not respond (${code}).`);
    }
    const [packed] = z.array(z.object({ filename: z.string() })).parse(JSON.parse(done.stdout));
    return await readVersion(join(folder, packed?.filename ?? ''));
  } finally {
    await removeTempFolder(folder);
  }
}

type Files = Partial<Record<string, string>>;

async function fromFolder(folder: string): Promise<Files> {
  const files: Files = {};
  for (const name of FILES)
    try {
      files[name] = await readFile(join(folder, name), 'utf8');
    } catch {
      // Missing: the caller says what it needs.
    }
  return files;
}

async function fromArchive(path: string): Promise<Files> {
  const files: Files = {};
  const reading = extract();
  const collect = async (): Promise<void> => {
    for await (const entry of reading) {
      const name = FILES.find((one) => entry.header.name === `package/${one}`);
      const parts: Buffer[] = [];
      let size = 0;
      for await (const part of entry) {
        const bytes = part as Buffer;
        size += bytes.length;
        if (name !== undefined && size > MAX_FILE) throw new Error(`${name} in it is too large`);
        if (name !== undefined) parts.push(bytes);
      }
      if (name !== undefined) files[name] = Buffer.concat(parts).toString('utf8');
    }
  };
  await Promise.all([pipeline(createReadStream(path), createGunzip(), reading), collect()]);
  return files;
}

function versionOf(files: Files): DavitVersion {
  const { 'package.json': manifest, 'CHANGELOG.md': changelog = '', 'docs/upgrade.json': facts } = files;
  if (manifest === undefined) throw new Error('it has no package.json');
  const parsed = manifestSchema.safeParse(JSON.parse(manifest));
  if (!parsed.success) throw new Error(`its package.json is not that of ${PACKAGE}`);
  return {
    version: parsed.data.version,
    node: parsed.data.engines.node,
    changelog,
    facts: facts === undefined ? undefined : factsSchema.parse(JSON.parse(facts)),
  };
}
