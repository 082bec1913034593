/** The disk of the audit trail is full: a small file system of its own, and a real server over it. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installationSchema } from '../../src/installation.ts';
import type { AuditPage } from '../../src/plan/model/audit.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { bearer } from '../support/server.ts';

let mounted: string;
let server: RunningServer;
const cliToken = randomUUID();

beforeAll(async () => {
  mounted = await mkdtemp(join(tmpdir(), 'davit-audit-full-'));
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'davit-audit-full', mounted]);
  if (made.status !== 0) throw new Error(`no file system of its own: ${String(made.stderr)}`);
  server = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse({}),
    installationId: 'full',
    cliToken,
    workerToken: randomUUID(),
    // Nothing here needs Temporal.
    temporal: { address: '127.0.0.1:1', namespace: 'davit' },
    dataDir: join(mounted, 'data'),
  });
});
afterAll(async () => {
  await server.close();
  spawnSync('umount', ['-l', mounted]);
  await rm(mounted, { recursive: true, force: true });
});

function fill(): void {
  const file = openSync(join(mounted, 'filler'), 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4_096));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
}
const read = async (): Promise<AuditPage> => {
  const answer = await fetch(`${server.url}/api/v1/audit`, { headers: bearer(cliToken) });
  expect(answer.status).toBe(200);
  return (await answer.json()) as AuditPage;
};

test('requests go on, what is not written is counted, and told once there is space', async () => {
  await read();
  fill();
  let times = 0;
  // The last page of the file has space for some more.
  while ((await read()).lost < 3) {
    times += 1;
    expect(times).toBeLessThan(100);
  }
  await rm(join(mounted, 'filler'));
  await read();
  const { entries, lost } = await read();
  expect(lost).toBeGreaterThanOrEqual(3);
  expect(entries.find(({ action }) => action === 'audit.lost')?.about).toEqual({ entries: lost });
  expect((await read()).entries.at(-1)).toMatchObject({ action: 'audit.read', outcome: 'done' });
});
