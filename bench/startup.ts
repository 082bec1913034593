/** How long a person waits for `davit run` of one trivial job: with davit running, and with nothing running yet. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { childEnvironment } from '../src/config.ts';
import { sweep } from '../test/support/davit.ts';
import { repository } from './pipelines.ts';

const DAVIT = join(import.meta.dirname, '..', 'davit');

/** ms of one `davit run` in a home, by the launcher. Rejects when it fails. */
function run(args: string[], home: string, cwd: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(DAVIT, args, {
      cwd,
      env: childEnvironment({
        DAVIT_HOME: home,
        CI: 'true',
        PATH: `${dirname(process.execPath)}:${childEnvironment({}).PATH ?? ''}`,
      }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(performance.now() - started)
        : reject(new Error(`davit ${args.join(' ')} ended with ${code}: ${said}`)),
    );
  });
}

export interface StartTimes {
  /** Nothing was running. */
  cold: number[];
  warm: number[];
}

/** Each round has a home of its own for the cold run; the warm one follows in the same. */
export async function measureStart(rounds: number): Promise<StartTimes> {
  const times: StartTimes = { cold: [], warm: [] };
  const folder = repository(1, false);
  try {
    for (let round = 0; round < rounds; round += 1) {
      const home = mkdtempSync(join(tmpdir(), 'davit-bench-home-'));
      try {
        times.cold.push(await run(['run'], home, folder));
        times.warm.push(await run(['run'], home, folder));
      } finally {
        await run(['down'], home, folder);
        sweep(home);
        rmSync(home, { recursive: true, force: true });
      }
    }
    return times;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
