/**
 * The helper image: a static busybox of the engine's own architecture, for readiness probes and for jobs
 * without an image. davit puts it on each engine by itself. The binary comes from davit's own image, from
 * PATH, from the official image on Docker Hub, or from Debian's packages, whichever works first.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { DavitError } from '../errors.ts';
import { HELPER_IMAGE } from '../installation.ts';
import type { Arch } from '../plan/model/ids.ts';
import { PLATFORMS, platformText } from '../plan/model/spec.ts';
import type { Engine, EngineInfo, RegistryAuth } from './ports.ts';
import { removeTempFolder, tempFolder } from './temp.ts';
import { messageOf } from '../utils/message.ts';

const HUB_IMAGE = 'busybox:1.37.0-musl';
/** In davit's own image: one static busybox per architecture. */
const BUNDLED = '/usr/lib/davit/busybox';
const PULL_MS = 30_000;
const BUILD_MS = 120_000;
const PACKAGES_MS = 120_000;
const DEBIAN_ARCH: Record<Arch, string> = { arm32: 'armel', arm64: 'arm64', amd64: 'amd64' };
/** ELF machine numbers (elf.h), by architecture. */
const ELF_MACHINE: Record<Arch, number> = { arm32: 40, arm64: 183, amd64: 62 };
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
CMD ["/bin/sh"]
`;
const run = promisify(execFile);

type HelperEngine = Pick<Engine, 'inspectImage' | 'pullImage' | 'tagImage' | 'build'>;
export interface HelperOptions {
  /** `davit/helper:1` is built; any other name is the operator's image and is pulled. */
  name: string;
  /** Folders to search for a busybox. */
  path: readonly string[];
  /** For the operator's own image. */
  auth?: RegistryAuth;
}
interface Local {
  engine: HelperEngine;
  arch: Arch;
  path: readonly string[];
}

/**
 * Builds or pulls the image if the engine does not have it. Returns its name. Rejects with `local/no-helper`
 * or `engine/*`.
 */
export async function ensureHelperImage(
  engine: HelperEngine,
  info: Pick<EngineInfo, 'arch' | 'address'>,
  options: HelperOptions,
): Promise<string> {
  const { name, auth } = options;
  const platform = platformText(PLATFORMS[info.arch]);
  if (await isThere(engine, info.arch, name)) return name;
  if (name !== HELPER_IMAGE) {
    await engine.pullImage(name, { platform, auth, signal: AbortSignal.timeout(PULL_MS) });
    return name;
  }
  const local = { engine, arch: info.arch, path: options.path };
  const tried: string[] = [];
  for (const way of [fromOwnImage, fromPath, fromHub, fromDebian]) {
    try {
      await way(local);
      return name;
    } catch (error) {
      // The next source is tried; all failures are reported together.
      tried.push(messageOf(error));
    }
  }
  throw new DavitError(
    'local/no-helper',
    `The helper image ${name} cannot be provided on ${info.address}. ${tried.join(' ')}`,
  );
}

/** What has to be downloaded for the image, for a person; undefined: nothing. `engine`: undefined before there is one. */
export async function helperDownload(
  engine: Pick<HelperEngine, 'inspectImage'> | undefined,
  arch: Arch,
  { name, path }: Omit<HelperOptions, 'auth'>,
): Promise<string | undefined> {
  if (engine && (await isThere(engine, arch, name))) return undefined;
  if (name !== HELPER_IMAGE) return name;
  if (await isFile(join(BUNDLED, arch))) return undefined;
  return (await staticBusybox(path, arch)) ? undefined : HUB_IMAGE;
}

async function isThere(
  engine: Pick<HelperEngine, 'inspectImage'>,
  arch: Arch,
  name: string,
): Promise<boolean> {
  const there = await engine.inspectImage(name, platformText(PLATFORMS[arch]));
  return there?.platform.architecture === PLATFORMS[arch].architecture;
}

async function fromOwnImage(local: Local): Promise<void> {
  const file = join(BUNDLED, local.arch);
  if (!(await isFile(file))) throw new Error(`${file} does not exist.`);
  await buildFrom(await readFile(file), local);
}

async function fromPath(local: Local): Promise<void> {
  const binary = await staticBusybox(local.path, local.arch);
  if (!binary) throw new Error(`There is no static busybox for ${local.arch} on the PATH.`);
  await buildFrom(binary, local);
}

async function staticBusybox(path: readonly string[], arch: Arch): Promise<Buffer | undefined> {
  for (const folder of [...path, '/usr/bin', '/bin']) {
    const file = join(folder, 'busybox');
    if (!(await isFile(file))) continue;
    const binary = await readFile(file);
    if (isStaticFor(binary, arch)) return binary;
  }
  return undefined;
}

async function fromHub({ engine, arch }: Local): Promise<void> {
  const platform = platformText(PLATFORMS[arch]);
  await engine.pullImage(HUB_IMAGE, { platform, signal: AbortSignal.timeout(PULL_MS) });
  await engine.tagImage(HUB_IMAGE, HELPER_IMAGE);
}

/** Uses its own package lists, because another architecture may not be enabled on this system. */
async function fromDebian(local: Local): Promise<void> {
  if (!(await isFile('/etc/debian_version'))) throw new Error('This is not a Debian system.');
  const folder = await tempFolder('helper');
  try {
    const arch = DEBIAN_ARCH[local.arch];
    for (const part of ['state/lists/partial', 'cache/archives/partial'])
      await mkdir(join(folder, part), { recursive: true });
    await writeFile(join(folder, 'status'), '');
    const own = [
      ['Dir::State', join(folder, 'state')],
      ['Dir::State::status', join(folder, 'status')],
      ['Dir::Cache', join(folder, 'cache')],
      ['APT::Architecture', arch],
      ['APT::Architectures', arch],
      ['APT::Sandbox::User', 'root'],
    ].flatMap(([option, value]) => ['-o', `${option}=${value}`]);
    const options = { cwd: folder, timeout: PACKAGES_MS };
    await run('apt-get', [...own, '-qq', 'update'], options);
    await run('apt-get', [...own, '-qq', 'download', `busybox-static:${arch}`], options);
    const file = (await readdir(folder)).find((one) => one.endsWith('.deb')) ?? '';
    await run('dpkg', ['-x', join(folder, file), join(folder, 'root')], options);
    for (const place of ['bin/busybox', 'usr/bin/busybox'])
      if (await isFile(join(folder, 'root', place)))
        return await buildFrom(await readFile(join(folder, 'root', place)), local);
    throw new Error('The package busybox-static contains no busybox.');
  } finally {
    await removeTempFolder(folder);
  }
}

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // it does not exist
  }
};

/**
 * True for a program of that architecture that needs no loader: it has no PT_INTERP header (ELF, tools
 * interface standard).
 */
export function isStaticFor(binary: Uint8Array, arch: Arch): boolean {
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  if (binary.byteLength < 64 || view.getUint32(0, false) !== 0x7f454c46) return false;
  const wide = binary[4] === 2;
  if (view.getUint16(18, true) !== ELF_MACHINE[arch]) return false;
  const start = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const size = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  for (let index = 0; index < count; index += 1) {
    const header = start + index * size;
    if (header + 4 > binary.byteLength || view.getUint32(header, true) === 3) return false;
  }
  return true;
}

async function buildFrom(busybox: Uint8Array, { engine, arch }: Local): Promise<void> {
  if (!isStaticFor(busybox, arch)) throw new Error(`The busybox is not static, or not for ${arch}.`);
  const context = pack();
  context.entry({ name: 'Dockerfile' }, DOCKERFILE);
  context.entry({ name: 'busybox', mode: 0o755 }, Buffer.from(busybox));
  context.finalize();
  await engine.build({
    context: Readable.from(context),
    dockerfile: 'Dockerfile',
    platform: platformText(PLATFORMS[arch]),
    tag: HELPER_IMAGE,
    args: {},
    labels: { 'org.opencontainers.image.title': 'davit helper' },
    cacheFrom: [],
    pullBases: false,
    inlineCache: false,
    auth: {},
    signal: AbortSignal.timeout(BUILD_MS),
    onLog: () => undefined,
  });
}
