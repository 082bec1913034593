/** Runs the launcher as a person does: a process, its output, its exit code. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export const DAVIT = join(import.meta.dirname, '..', '..', 'davit');

export interface Called {
  child: ChildProcess;
  /** Output so far. */
  out(): string;
  err(): string;
  /** Resolves when the output matches; rejects if the process ends before. */
  shows(pattern: RegExp): Promise<void>;
  ended: Promise<number>;
}

/**
 * Starts `davit ARGS` in a folder. `env` overrides this process's environment, which has no davit settings.
 */
export function davit(cwd: string, args: string[], env: Record<string, string>): Called {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(DAVIT_|TEMPORAL_)/.test(name)),
  );
  const cache = process.env.DAVIT_CACHE;
  const child = spawn(DAVIT, args, {
    cwd,
    env: { ...clean, NO_COLOR: '1', ...(cache ? { DAVIT_CACHE: cache } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  const watchers = new Set<() => void>();
  const take = (name: 'out' | 'err') => (piece: string) => {
    text[name] += piece;
    for (const look of watchers) look();
  };
  child.stdout.setEncoding('utf8').on('data', take('out'));
  child.stderr.setEncoding('utf8').on('data', take('err'));
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 128)));
  return {
    child,
    out: () => text.out,
    err: () => text.err,
    ended,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(text.out) && !pattern.test(text.err)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then((code) =>
          reject(
            new Error(
              `davit ended with ${code} and never showed ${String(pattern)}:\n${text.out}\n${text.err}`,
            ),
          ),
        );
      }),
  };
}

/** Runs it and waits for its end. */
export async function call(cwd: string, args: string[], env: Record<string, string>) {
  const called = davit(cwd, args, env);
  const exit = await called.ended;
  return { exit, out: called.out(), err: called.err() };
}
