/** Container engines that Debian does not package, built from their pinned Go modules. */
import { chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outputTail, runCommand, which } from '../../src/local/process/exec.ts';
import { installPackages, mayInstall } from '../../src/local/setup/debian.ts';
import { buildGoPrograms, findGo } from '../../src/local/setup/go-programs.ts';
import type { MakePart, Part } from './part.ts';

const CONTAINERD = '2.2.9';
const RUNC = '1.3.3';
const DOCKER_28 = '28.5.2';
const DOCKER_29 = '29.9.3';
/** The Go module that Docker 29.9.3 is built from. */
const MOBY = '2.0.0-beta.24';
const BUILDKIT = '0.33.1';
const RUNC_PACKAGES = ['libseccomp-dev', 'pkg-config', 'gcc', 'libc6-dev'];
const MINUTES_10_MS = 600_000;

async function buildRunc(
  { settings, folder, progress }: MakePart,
  how: { isStatic?: boolean; tags: string },
): Promise<void> {
  if (!(await hasLibseccomp()) && (await mayInstall())) await installPackages(progress, RUNC_PACKAGES);
  await buildGoPrograms(
    settings,
    {
      title: `runc ${RUNC}`,
      version: RUNC,
      note: 'runc is built from its Go module.',
      programs: [{ path: 'github.com/opencontainers/runc', file: 'runc' }],
      cgo: true,
      ...how,
    },
    { folder, progress },
  );
}

/** containerd and runc, newer than Debian's: Docker 28 and 29 need them. */
export const containerdPart: Part = {
  name: `containerd-${CONTAINERD}-runc-${RUNC}`,
  files: ['containerd', 'containerd-shim-runc-v2', 'runc'],
  async make(options) {
    const { settings, folder, progress } = options;
    const module = 'github.com/containerd/containerd/v2/cmd';
    await buildGoPrograms(
      settings,
      {
        title: `containerd ${CONTAINERD}`,
        version: CONTAINERD,
        note: 'containerd is built from its Go module; on 2 cores 1 to 2 minutes.',
        programs: ['containerd', 'containerd-shim-runc-v2'].map((file) => ({
          path: `${module}/${file}`,
          file,
        })),
      },
      { folder, progress },
    );
    await onlyKeep(options, this.files);
    await buildRunc(options, { tags: 'seccomp' });
    await onlyKeep(options, this.files);
  },
};

/** `pkg-config` alone is not enough: other packages bring it without the library. */
const hasLibseccomp = async (): Promise<boolean> =>
  (await runCommand('pkg-config', ['--exists', 'libseccomp'])).code === 0;

export const docker29Part: Part = {
  name: `docker-${DOCKER_29}`,
  files: ['dockerd', 'docker-proxy'],
  async make(options) {
    const module = 'github.com/moby/moby/v2';
    await buildGoPrograms(
      options.settings,
      {
        title: `Docker ${DOCKER_29}`,
        version: MOBY,
        note: `dockerd ${DOCKER_29} is built from its Go module; on 2 cores 2 to 5 minutes.`,
        programs: ['dockerd', 'docker-proxy'].map((file) => ({
          path: `${module}/cmd/${file}`,
          file,
          values: { [`${module}/dockerversion.Version`]: DOCKER_29 },
        })),
      },
      options,
    );
    await onlyKeep(options, this.files);
  },
};

/** Debian's package. The copy only marks that it is installed. */
/** Debian's package, whose programs find each other at their own places. */
export const podmanPart: Part = {
  name: 'podman',
  files: ['podman'],
  async make({ settings, folder, progress }) {
    if (!(await which(settings, 'podman')))
      await installPackages(progress, ['podman', 'crun', 'netavark', 'aardvark-dns', 'catatonit']);
    await copyFile((await which(settings, 'podman')) ?? '/usr/bin/podman', join(folder, 'podman'));
  },
};

export const nftablesPart: Part = {
  name: 'nftables',
  files: ['nft'],
  async make({ settings, folder, progress }) {
    if (!(await which(settings, 'nft'))) await installPackages(progress, ['nftables']);
    await copyFile((await which(settings, 'nft')) ?? '/usr/sbin/nft', join(folder, 'nft'));
  },
};

/** What an image of a builder for forks needs beside a shell; all of it static. */
export const buildkitPart: Part = {
  name: `buildkit-${BUILDKIT}-runc-${RUNC}`,
  files: ['buildkitd', 'buildctl', 'runc'],
  async make(options) {
    const { settings, folder, progress } = options;
    const module = 'github.com/moby/buildkit';
    await buildGoPrograms(
      settings,
      {
        title: `BuildKit ${BUILDKIT}`,
        version: BUILDKIT,
        note: 'BuildKit is built from its Go module; on 2 cores 3 to 6 minutes.',
        programs: ['buildkitd', 'buildctl'].map((file) => ({ path: `${module}/cmd/${file}`, file })),
      },
      { folder, progress },
    );
    await onlyKeep(options, this.files);
    await buildRunc(options, { isStatic: true, tags: 'seccomp netgo osusergo' });
    await onlyKeep(options, this.files);
  },
};

/** Its module has no go.mod: `vendor.mod` is one under another name. */
export const docker28Part: Part = {
  name: `docker-${DOCKER_28}`,
  files: ['dockerd', 'docker-proxy'],
  async make(options) {
    const { settings, folder, progress } = options;
    const module = 'github.com/docker/docker';
    const wanted = `${module}@v${DOCKER_28}+incompatible`;
    const go = await findGo(settings, folder);
    const env = { CGO_ENABLED: '0', GOFLAGS: '-mod=mod -modcacherw', GOWORK: 'off' };
    const run = async (...args: string[]): Promise<string> => {
      const done = await runCommand(go, args, { cwd: folder, env, timeoutMs: MINUTES_10_MS });
      if (done.code !== 0) throw new Error(`Not built: go ${args[0]}: ${outputTail(done)}`);
      return done.stdout.trim();
    };
    progress.note(`dockerd ${DOCKER_28} is built from its Go module; on 2 cores 1 to 3 minutes.`);
    await progress.step(`Docker ${DOCKER_28}: modules`, async () => {
      await run('mod', 'download', wanted);
      const source = join(await run('env', 'GOMODCACHE'), wanted);
      const text = await readFile(join(source, 'vendor.mod'), 'utf8');
      await writeFile(join(folder, 'go.mod'), text.replace(/^module .*$/m, 'module davit.local/programs'));
      await copyFile(join(source, 'vendor.sum'), join(folder, 'go.sum'));
      await chmod(join(folder, 'go.sum'), 0o644);
      await run('mod', 'edit', `-require=${wanted}`);
    });
    const linker = `-s -w -X ${module}/dockerversion.Version=${DOCKER_28}`;
    for (const file of this.files)
      await progress.step(`Docker ${DOCKER_28}: compile ${file}`, () =>
        run('build', '-trimpath', '-ldflags', linker, '-o', join(folder, file), `${module}/cmd/${file}`),
      );
    await onlyKeep(options, this.files);
  },
};

/** The module files of the build are not part of the result, and the next program's module starts empty. */
async function onlyKeep({ folder }: MakePart, files: readonly string[]): Promise<void> {
  for (const name of ['go.mod', 'go.sum'])
    if (!files.includes(name)) await rm(join(folder, name), { force: true });
}
