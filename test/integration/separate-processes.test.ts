/**
 * `davit up` with a process for the server and for each worker, as an installation on several machines has
 * them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, ownDavit, repositoryOf, type OwnDavit } from '../support/davit.ts';

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const WAIT_MS = 120_000;
let davit: OwnDavit;
let repository = '';

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-separate-'));
  const script = '["echo started", "sleep 8", "echo done"]';
  writeFileSync(join(folder, '.gitlab-ci.yml'), `long:\n  image: $DAVIT_HELPER_IMAGE\n  script: ${script}\n`);
  repository = repositoryOf(folder);
  rmSync(folder, { recursive: true });
  davit = await ownDavit({ args: ['--separate-processes'], arches: [ARCH] });
});
afterAll(async () => {
  await davit.stop();
  rmSync(dirname(repository), { recursive: true, force: true });
});

test('kill -9 of a worker: it is restarted, and the script runs once', async () => {
  const names = davit.run.processes.map((one) => one.name);
  expect(names).toEqual(expect.arrayContaining(['server', 'control', `worker-${ARCH}`, 'temporal']));
  const id = await davit.start('separate', repository);
  const log = async (): Promise<string> => (await davit.cli(['logs', id, 'long'])).stdout;
  await eventually('the script runs', WAIT_MS, async () =>
    (await log()).includes('started') ? true : undefined,
  );
  process.kill(davit.run.processes.find((one) => one.name === `worker-${ARCH}`)?.pid ?? 0, 'SIGKILL');
  const status = await davit.verdict(id, WAIT_MS);
  expect(status).toMatchObject({ state: 'success', jobs: [{ key: 'long', attempt: 1 }] });
  expect((await log()).match(/^started$/gm)).toHaveLength(1);
  expect((await log()).match(/^done$/gm)).toHaveLength(1);
});
