/** A real forge: Gitea, built from its pinned Go module, with the files that it serves. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { outputTail, runCommand, which } from '../../src/local/process/exec.ts';
import { installPackages, mayInstall } from '../../src/local/setup/debian.ts';
import { findGo } from '../../src/local/setup/go-programs.ts';
import type { MakePart, Part } from './part.ts';

const VERSION = '1.26.0';
const MODULE = 'code.gitea.io/gitea';
/** SQLite is C code. */
const COMPILER = ['gcc', 'libc6-dev'];
/** Folders of the module that the program reads while it runs. */
const STATIC = ['templates', 'options', 'public'];
const BUILD_MS = 30 * 60_000;

const downloaded = z.object({ Dir: z.string(), GoMod: z.string() });
const moduleFile = z.object({
  Replace: z.array(
    z.object({
      Old: z.object({ Path: z.string() }),
      New: z.object({ Path: z.string(), Version: z.string() }),
    }),
  ),
});

/** `gitea`, and `static`: the value of Gitea's STATIC_ROOT_PATH. */
export const giteaPart: Part = {
  name: `gitea-${VERSION}`,
  files: ['gitea', 'static/templates', 'static/options', 'static/public'],
  async make(options) {
    const { settings, folder, progress } = options;
    const go = await findGo(settings, folder);
    if (!(await which(settings, 'gcc')) && (await mayInstall())) await installPackages(progress, COMPILER);
    progress.note(`Gitea ${VERSION} is built from its Go module; on 2 cores 5 to 15 minutes.`);
    await progress.step(`Gitea ${VERSION}: modules`, () => downloadModules(go, options));
    await progress.step(`Gitea ${VERSION}: compile`, async () => {
      const linker = `-s -w -X main.Version=${VERSION}`;
      const tags = 'sqlite sqlite_unlock_notify';
      const output = join(folder, 'gitea');
      await runGo(go, folder, [
        'build',
        '-trimpath',
        '-tags',
        tags,
        '-ldflags',
        linker,
        '-o',
        output,
        MODULE,
      ]);
    });
    for (const name of ['go.mod', 'go.sum']) await rm(join(folder, name));
  },
};

/**
 * The replace directives of a module count only in its own build, so they are copied to the module that
 * builds it. Also copies the files that the program serves.
 */
async function downloadModules(go: string, { folder }: MakePart): Promise<void> {
  const run = (...args: string[]): Promise<string> => runGo(go, folder, args);
  await run('mod', 'init', 'davit.local/programs');
  const wanted = `${MODULE}@v${VERSION}`;
  const { Dir, GoMod } = downloaded.parse(JSON.parse(await run('mod', 'download', '-json', wanted)));
  const { Replace } = moduleFile.parse(JSON.parse(await run('mod', 'edit', '-json', GoMod)));
  const replaces = Replace.map(({ Old, New }) => `-replace=${Old.Path}=${New.Path}@${New.Version}`);
  await run('mod', 'edit', ...replaces);
  await run('get', wanted);
  for (const name of STATIC) await cp(join(Dir, name), join(folder, 'static', name), { recursive: true });
}

async function runGo(go: string, folder: string, args: string[]): Promise<string> {
  const env = { CGO_ENABLED: '1', GOFLAGS: '-mod=mod -modcacherw', GOWORK: 'off' };
  const done = await runCommand(go, args, { cwd: folder, env, timeoutMs: BUILD_MS });
  if (done.code !== 0) throw new Error(`Not built: go ${args.slice(0, 2).join(' ')}: ${outputTail(done)}`);
  return done.stdout.trim();
}
