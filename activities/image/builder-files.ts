/** What a builder of its own is given: a script, and the context of the build as files. */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import type { BuildSpec } from '../../src/plan/model/spec.ts';
import { put, ROOT_OWNER, type TarHeader } from '../../src/utils/tar.ts';
import { quote } from '../../src/utils/shell-quote.ts';
import { bytesOf, entries, putFile, refused, type TarEntry } from '../runtime/tar.ts';

const FOLDER = 'davit';
const CONTEXT = `${FOLDER}/context`;
export const BUILDER_SCRIPT = `/${FOLDER}/build`;
/** An OCI archive, once the build has succeeded. */
export const BUILT_ARCHIVE = `/${FOLDER}/image.tar`;
/** Exit code of the script where BuildKit itself does not work. */
export const NO_BUILDER = 125;

export type BuilderSpec = Pick<BuildSpec, 'args' | 'labels' | 'target'> & {
  platform: string;
  /** In the context. */
  dockerfile: string;
};

/**
 * For POSIX sh, with `mount`, BuildKit's programs and runc on the PATH. The engine mounts control groups read-only;
 * BuildKit makes one for each step. What a step runs has neither the rights nor the mounts of this script.
 */
export function builderScript(spec: BuilderSpec): string {
  const address = `unix:///${FOLDER}/buildkit.sock`;
  const options = [
    `filename=${spec.dockerfile}`,
    `platform=${spec.platform}`,
    ...(spec.target === undefined ? [] : [`target=${spec.target}`]),
    ...Object.entries(spec.args).map(([name, value]) => `build-arg:${name}=${value}`),
    ...Object.entries(spec.labels).map(([name, value]) => `label:${name}=${value}`),
  ];
  return `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/var/lib/buildkit/tmp
mkdir -p "$TMPDIR" /tmp /run
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,rw "$group" 2>/dev/null; done
buildkitd --addr ${address} >/${FOLDER}/daemon.log 2>&1 &
daemon=$!
left=300
until buildctl --addr ${address} debug workers >/dev/null 2>&1; do
  left=$((left - 1))
  if [ "$left" -eq 0 ] || ! kill -0 "$daemon" 2>/dev/null; then
    echo 'BuildKit does not start:'
    tail -n 20 /${FOLDER}/daemon.log
    exit ${NO_BUILDER}
  fi
  sleep 0.1
done
buildctl --addr ${address} build --progress=plain --frontend dockerfile.v0 \\
  --local context=/${CONTEXT} --local dockerfile=/${CONTEXT} \\
  --output type=oci,dest=${BUILT_ARCHIVE} \\
  ${options.map((option) => `--opt ${quote(option)}`).join(' ')} || exit 1
`;
}

/** A tar for `/` of the builder. Destroying it ends all reading of the context. */
export function builderFiles(script: string, context: Readable): Readable {
  const tar = pack();
  fill(tar, script, context).catch((error: unknown) =>
    tar.destroy(error instanceof Error ? error : new Error('packing failed')),
  );
  return bytesOf(tar);
}

async function fill(tar: Pack, script: string, context: Readable): Promise<void> {
  for (const folder of [FOLDER, CONTEXT])
    await put(tar, { name: `${folder}/`, type: 'directory', mode: 0o755, ...ROOT_OWNER });
  await put(tar, { name: `${FOLDER}/build`, mode: 0o755, ...ROOT_OWNER }, script);
  const links = new Set<string>();
  for await (const entry of entries(context)) {
    notThroughLink(links, entry.path);
    if (entry.header.type === 'symlink') links.add(entry.path);
    else links.delete(entry.path);
    await copy(tar, links, entry);
  }
  tar.finalize();
}

/**
 * The engine would follow a link in place of a directory, out of the context: to the programs of the builder, which
 * has more rights than the build.
 */
function notThroughLink(links: ReadonlySet<string>, path: string): void {
  for (let above = posix.dirname(path); above !== '.'; above = posix.dirname(above))
    if (links.has(above)) throw refused(`${path} is behind the link ${above}.`);
}

async function copy(tar: Pack, links: ReadonlySet<string>, { path, header, body }: TarEntry): Promise<void> {
  const { type, mode, mtime, size, linkname } = header;
  const base: TarHeader = { name: `${CONTEXT}/${path}`, type, mode, mtime, ...ROOT_OWNER };
  if (type === 'file') return putFile(tar, { ...base, size: size ?? 0 }, body);
  if (type === 'directory') return put(tar, { ...base, name: `${base.name}/` });
  if (type === 'symlink') return put(tar, { ...base, linkname });
  if (type !== 'link') return; // Devices and pipes are no part of a context.
  const target = posix.normalize(`/${linkname ?? ''}`).slice(1);
  notThroughLink(links, target);
  if (links.has(target)) throw refused(`${path} is a hard link to the link ${target}.`);
  return put(tar, { ...base, linkname: `${CONTEXT}/${target}` });
}
