/** What every command receives: settings, the folder, and its input and output. Tests pass their own. */
import type { Readable } from 'node:stream';
import type { Settings } from '../config.ts';
import type { Output } from './output.ts';
import { lineProgress, type Progress } from '../local/process/progress.ts';

export interface Io {
  /** Data: the result of a command. */
  out(text: string): void;
  /** Aborts when nobody reads the data any more. */
  outClosed: AbortSignal;
  /** Everything else: progress, errors. */
  err(text: string): void;
  stdin: Readable;
  /** A person is there to answer questions. */
  interactive: boolean;
  /** Colours on standard output, and on standard error. */
  outColor: boolean;
  errColor: boolean;
  /** Columns of the terminal; undefined in a pipe. */
  columns?: number;
}
export interface Cli {
  settings: Settings;
  io: Io;
  cwd: string;
  /** Exit code of the process; a command sets it. */
  exit: number;
}

/** Finds the engine of this machine, for a command that uses it; says so if it is not where one expects it. */
export async function useEngine(cli: Cli, use: 'first' | 'running'): Promise<void> {
  const { locateEngine } = await import('../local/setup/locate-engine.ts');
  const { settings, by, passed } = await locateEngine(cli.settings, use);
  for (const one of passed) cli.io.err(`${one.by} is not used: ${one.problem}\n`);
  if (settings.dockerHost !== cli.settings.dockerHost)
    cli.io.err(`Engine: ${settings.dockerHost} (${by}).\n`);
  cli.settings = settings;
}

export const progressOf = (cli: Cli): Progress =>
  lineProgress((line) => cli.io.err(`${line}\n`), cli.io.errColor);

/** One JSON document, for programs. */
export const printJson = (cli: Cli, value: unknown): void =>
  cli.io.out(`${JSON.stringify(value, undefined, 2)}\n`);

/** The Io of this process. */
export function processIo(settings: Settings, output: Output): Io {
  return {
    out: (text) => output.write(text),
    outClosed: output.closed,
    err: (text) => void process.stderr.write(text),
    stdin: process.stdin,
    interactive: process.stdin.isTTY && process.stderr.isTTY && !settings.ci,
    outColor: settings.color && process.stdout.isTTY,
    errColor: settings.color && process.stderr.isTTY,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  };
}
