/** Builds programs from pinned Go modules, if no ready-made program is available. */
import { join } from 'node:path';
import type { Settings } from '../../config.ts';
import { outputTail, runCommand, which } from '../process/exec.ts';
import type { Progress } from '../process/progress.ts';

/** The first Go version that downloads the toolchain that a module requires. */
const MIN_GO = '1.21';
const BUILD_MS = 30 * 60_000;

export interface GoPrograms {
  /** For people: `Temporal CLI 1.5.1`. */
  title: string;
  version: string;
  /** Shown before the build, because it takes minutes. */
  note: string;
  programs: readonly GoProgram[];
  /** Links C libraries of the system; everything is static otherwise. */
  cgo?: boolean;
  /** With `cgo`: the C libraries become part of the program. */
  isStatic?: boolean;
  /** Build tags. */
  tags?: string;
}
export interface GoProgram {
  /** Import path of the program. */
  path: string;
  /** Name of the output file. */
  file: string;
  /** `-X` values of the linker. */
  values?: Readonly<Record<string, string>>;
}
export interface BuildRequest {
  /** An empty folder for the programs. */
  folder: string;
  progress: Progress;
}

/**
 * `go get -tool` and `go build` in a temporary module, because `go install` refuses a module with replace
 * directives. Rejects with an Error that gives the reason.
 */
export async function buildGoPrograms(
  settings: Pick<Settings, 'path'>,
  { title, version, note, programs, cgo = false, isStatic = false, tags = '' }: GoPrograms,
  { folder, progress }: BuildRequest,
): Promise<void> {
  const go = await findGo(settings, folder);
  progress.note(note);
  const env = { CGO_ENABLED: cgo ? '1' : '0', GOFLAGS: '-mod=mod -modcacherw', GOWORK: 'off' };
  const steps: [string, string[]][] = [
    ['module', ['mod', 'init', 'davit.local/programs']],
    ['modules', ['get', '-tool', ...programs.map(({ path }) => `${path}@v${version}`)]],
    ...programs.map(({ path, file, values = {} }): [string, string[]] => [
      programs.length === 1 ? 'compile' : `compile ${file}`,
      [
        'build',
        '-trimpath',
        '-tags',
        tags,
        '-ldflags',
        linker(values, isStatic),
        '-o',
        join(folder, file),
        path,
      ],
    ]),
  ];
  for (const [step, args] of steps)
    await progress.step(`${title}: ${step}`, async () => {
      const done = await runCommand(go, args, { cwd: folder, env, timeoutMs: BUILD_MS });
      if (done.code !== 0) throw new Error(`Not built: go ${args[0]}: ${outputTail(done)}`);
    });
}

const linker = (values: Readonly<Record<string, string>>, isStatic: boolean): string =>
  [
    '-s -w',
    ...(isStatic ? ["-extldflags '-static'"] : []),
    ...Object.entries(values).map(([name, value]) => `-X ${name}=${value}`),
  ].join(' ');

/** Path of a Go that is new enough. Rejects with an Error that gives the reason. */
export async function findGo(settings: Pick<Settings, 'path'>, folder: string): Promise<string> {
  const go = await which({ path: [...settings.path, '/usr/local/go/bin'] }, 'go');
  const found = go
    ? /go(\d+)\.(\d+)/.exec((await runCommand(go, ['version'], { cwd: folder })).stdout)
    : null;
  const [major = 0, minor = 0] = found?.slice(1).map(Number) ?? [];
  if (!go) throw new Error('Not built: Go is not installed.');
  if (major < 2 && minor < Number(MIN_GO.slice(2)))
    throw new Error(
      `Not built: Go ${major}.${minor} is installed, but ${MIN_GO} or later is required (https://go.dev/dl).`,
    );
  return go;
}
