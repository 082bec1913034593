/** Jobs whose log shows whether their script ran once and lost no line. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BedDavit } from './installation.ts';

const FILE = '.gitlab-ci.yml';

/** A project with this pipeline file. Returns its path on the head. */
export async function projectOf(davit: BedDavit, name: string, file: string): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'davit-bed-project-')), name);
  await mkdir(folder);
  await writeFile(join(folder, FILE), file);
  return davit.project(folder);
}

/** A job that counts: `tick 1` to `tick SECONDS`, one each second. */
export const countingJob = (seconds: number, name = 'count'): string =>
  `${name}:\n  image: $DAVIT_HELPER_IMAGE\n  script:\n    - echo begun\n` +
  `    - i=0; while [ $i -lt ${seconds} ]; do i=$((i+1)); echo "tick $i"; sleep 1; done\n    - echo done\n`;

/** Each line is there once, in order. */
export function expectCounted(log: string, seconds: number): void {
  const lines = log.split('\n').filter((line) => /^(?:begun|tick \d+|done)$/.test(line));
  expect(lines).toEqual(['begun', ...Array.from({ length: seconds }, (_, at) => `tick ${at + 1}`), 'done']);
}
