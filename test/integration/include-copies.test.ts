/**
 * `integrity` and `cache` of `include: remote`, and the time limit of all includes, against a real https
 * server.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { remoteFiles } from '../../src/adapters/http/remote.ts';
import { storedCopies } from '../../src/adapters/includes/copies.ts';
import { configuredIncludes } from '../../src/adapters/includes/index.ts';
import { readingSecrets } from '../../src/adapters/secrets/index.ts';
import { includeKey, type IncludeWant } from '../../src/plan/model/includes.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';
import { memoryBlobs, memoryRecords, testFacts } from '../unit/activities/fakes.ts';

let folder: string;
let server: HttpsFiles;
let now = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-copies-'));
  server = await httpsFiles(folder);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.files.set('/a.yml', 'a: 1');
  server.asked.length = 0;
  now = 1_700_000_000_000;
});

/** Each `ask` is a pipeline of its own; the copies stay. */
function asking(timeoutMs?: number) {
  const { config, url } = testFacts({});
  const never = (): Promise<never> => Promise.reject(new Error('no repository is asked'));
  const includes = configuredIncludes({
    repositories: { refs: never, files: never },
    remote: remoteFiles({ allowHosts: ['localhost'], caFile: server.caFile }),
    settings: { projects: config.projects, includes: config.includes, url },
    secrets: readingSecrets(() => undefined),
    copies: storedCopies(memoryBlobs(), memoryRecords(), () => now),
    now: () => now,
    timeoutMs,
  });
  return async (more: { integrity?: string; cacheMs?: number } = {}) => {
    const want: IncludeWant = { kind: 'remote', url: `${server.url}a.yml`, ...more };
    return (await includes.open({ project: 'table', fork: false }).answer([want]))[includeKey(want)];
  };
}
const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
const down = (): void => void server.files.set('/a.yml', (response) => response.writeHead(503).end());

test('without integrity and cache every pipeline fetches, and an outage fails it', async () => {
  const ask = asking();
  expect([await ask(), await ask()]).toEqual([{ text: 'a: 1' }, { text: 'a: 1' }]);
  expect(server.asked.length).toBe(2);
  down();
  expect(await ask()).toMatchObject({ refused: { code: 'include/unreachable', outage: true } });
});

test('integrity: a matching copy replaces the file; another digest is refused, and no copy of it is kept', async () => {
  const ask = asking();
  const integrity = hash('a: 1');
  expect(await ask({ integrity })).toEqual({ text: 'a: 1' });
  down();
  expect(await ask({ integrity })).toEqual({ text: 'a: 1' });
  expect(server.asked.length).toBe(1);
  server.files.set('/a.yml', 'a: forged');
  expect(await ask({ integrity: hash('a: 2') })).toMatchObject({ refused: { code: 'include/integrity' } });
  expect(await ask({ integrity })).toEqual({ text: 'a: 1' });
  expect(server.asked.length).toBe(2);
});

test('cache: a recent copy is used, an old one is fetched again, or used with a warning while the server is down', async () => {
  const ask = asking();
  const cacheMs = 60_000;
  await ask({ cacheMs });
  server.files.set('/a.yml', 'a: 2');
  now += cacheMs;
  expect(await ask({ cacheMs })).toEqual({ text: 'a: 1' });
  expect(server.asked.length).toBe(1);
  now += 1;
  expect(await ask({ cacheMs })).toEqual({ text: 'a: 2' });
  down();
  now += 2 * cacheMs;
  expect(await ask({ cacheMs })).toMatchObject({
    text: 'a: 2',
    warning: expect.stringMatching(/503.*copy fetched 2 min ago/),
  });
  server.files.delete('/a.yml');
  expect(await ask({ cacheMs })).toMatchObject({ refused: { code: 'include/refused' } });
});

test('all includes of a pipeline together have a time limit', async () => {
  server.files.set('/a.yml', () => undefined);
  const late = await asking(100)();
  expect(late).toMatchObject({ refused: { code: 'include/timeout', outage: true } });
});
