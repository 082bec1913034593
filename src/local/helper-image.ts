/** `davit/helper:1`: a static busybox of the engine's own architecture, for readiness probes and for jobs that want no image. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import type { Engine, EngineInfo } from '../adapters/ports.ts';
import { removeTempFolder, tempFolder } from '../adapters/temp.ts';
import type { Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import { HELPER_IMAGE } from '../installation.ts';
import type { Arch } from '../plan/ids.ts';
import { PLATFORMS, platformText } from '../plan/spec.ts';
import { runCommand, which } from './command.ts';
import { isDebian } from './debian.ts';

const HUB_IMAGE = 'busybox:1.37.0-musl';
const PULL_MS = 30_000;
const DEBIAN_ARCH: Record<Arch, string> = { arm32: 'armel', arm64: 'arm64', amd64: 'amd64' };
/** ELF machine numbers (elf.h), by architecture. */
const ELF_MACHINE: Record<Arch, number> = { arm32: 40, arm64: 183, amd64: 62 };
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
CMD ["/bin/sh"]
`;

/** Makes the image when the engine has none. Answers its name. Rejects with `local/no-helper`. */
export async function ensureHelperImage(
  settings: Settings,
  { engine, info }: { engine: Engine; info: EngineInfo },
): Promise<string> {
  if (settings.helperImage) return settings.helperImage;
  const there = await engine.inspectImage(HELPER_IMAGE);
  if (there && there.platform.architecture === PLATFORMS[info.arch].architecture) return HELPER_IMAGE;
  const tried: string[] = [];
  for (const way of [fromThisMachine, fromHub, fromDebian]) {
    try {
      await way(settings, { engine, info });
      return HELPER_IMAGE;
    } catch (error) {
      // The next way is tried; all failures are told together.
      tried.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new DavitError(
    'local/no-helper',
    `The helper image ${HELPER_IMAGE} could not be made. ${tried.join(' ')}`,
  );
}

type Local = { engine: Engine; info: EngineInfo };

async function fromThisMachine(settings: Settings, local: Local): Promise<void> {
  const path = await which(settings, 'busybox');
  if (!path) throw new Error('There is no busybox on the PATH.');
  await buildFrom(await readFile(path), local);
}

async function fromHub(_settings: Settings, { engine, info }: Local): Promise<void> {
  const platform = platformText(PLATFORMS[info.arch]);
  await engine.pullImage(HUB_IMAGE, { platform, signal: AbortSignal.timeout(PULL_MS) });
  await engine.tagImage(HUB_IMAGE, HELPER_IMAGE);
}

async function fromDebian(_settings: Settings, local: Local): Promise<void> {
  if (!(await isDebian())) throw new Error('This is no Debian, whose packages could be used.');
  const folder = await tempFolder('helper');
  const run = promisify(execFile);
  try {
    const name = `busybox-static:${DEBIAN_ARCH[local.info.arch]}`;
    await run('apt-get', ['download', name], { cwd: folder, timeout: 60_000 });
    const found = await run('find', [folder, '-name', '*.deb']);
    await run('dpkg', ['-x', found.stdout.trim(), join(folder, 'root')], { timeout: 60_000 });
    for (const place of ['bin/busybox', 'usr/bin/busybox']) {
      const done = await runCommand('test', ['-f', join(folder, 'root', place)]);
      if (done.code === 0) return await buildFrom(await readFile(join(folder, 'root', place)), local);
    }
    throw new Error('The package busybox-static holds no busybox.');
  } finally {
    await removeTempFolder(folder);
  }
}

/** True for a program of that architecture that needs no loader: it has no PT_INTERP header (ELF, tools interface standard). */
export function isStaticFor(binary: Uint8Array, arch: Arch): boolean {
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  if (binary.byteLength < 64 || view.getUint32(0, false) !== 0x7f454c46) return false;
  const wide = binary[4] === 2;
  if (view.getUint16(18, true) !== ELF_MACHINE[arch]) return false;
  const start = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const size = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  for (let index = 0; index < count; index += 1) {
    const at = start + index * size;
    if (at + 4 > binary.byteLength || view.getUint32(at, true) === 3) return false;
  }
  return true;
}

async function buildFrom(busybox: Uint8Array, { engine, info }: Local): Promise<void> {
  if (!isStaticFor(busybox, info.arch))
    throw new Error(`That busybox is not static, or not for ${info.arch}.`);
  const context = pack();
  context.entry({ name: 'Dockerfile' }, DOCKERFILE);
  context.entry({ name: 'busybox', mode: 0o755 }, Buffer.from(busybox));
  context.finalize();
  await engine.build({
    context: Readable.from(context),
    dockerfile: 'Dockerfile',
    platform: platformText(PLATFORMS[info.arch]),
    tag: HELPER_IMAGE,
    args: {},
    labels: { 'org.opencontainers.image.title': 'davit helper' },
    cacheFrom: [],
    inlineCache: false,
    auth: {},
    signal: AbortSignal.timeout(120_000),
    onLog: () => undefined,
  });
}
