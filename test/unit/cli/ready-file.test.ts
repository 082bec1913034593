import { existsSync, mkdtempSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { updateReadyFile, serverWorks } from '../../../src/cli/ready-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-ready-'));
const file = join(folder, 'ready');
const until = (holds: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(holds()).toBe(true), { timeout: 20_000, interval: 5 });
const age = (): number => Date.now() - statSync(file).mtimeMs;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => rmSync(file, { force: true }));

describe('the ready file', () => {
  test('is updated repeatedly, and removed at the end', async () => {
    const kept = updateReadyFile(file, async () => true, 5);
    await until(() => existsSync(file));
    utimesSync(file, 0, 0);
    await until(() => age() < 1_000_000);
    await kept.stop();
    expect(existsSync(file)).toBe(false);
  });

  test('becomes old when the worker cannot work', async () => {
    let works = true;
    let asked = 0;
    const working = async (): Promise<boolean> => {
      asked += 1;
      return works;
    };
    const kept = updateReadyFile(file, working, 5);
    await until(() => existsSync(file));
    works = false;
    const since = asked;
    await until(() => asked > since + 1);
    utimesSync(file, 0, 0);
    const then = asked;
    await until(() => asked > then + 2);
    expect(statSync(file).mtimeMs).toBe(0);
    await kept.stop();
  });
});

describe('serverWorks', () => {
  test.each([
    ['the server says that it reaches Temporal', '{"ok":true}', true],
    ['the server says that it does not', '{"ok":false}', false],
    ['another server responds', '<html>', false],
  ])('%s: %s is %s', async (_what, body, works) => {
    const server = createServer((_request, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    expect(await serverWorks(`http://127.0.0.1:${port}`)).toBe(works);
    await new Promise((resolve) => server.close(resolve));
    expect(await serverWorks(`http://127.0.0.1:${port}`)).toBe(false);
  });
});
