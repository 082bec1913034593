import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import { ChangeBoard } from '../../../src/server/changes.ts';
import { pipelineViews, type Views } from '../../../src/server/views.ts';
import { pipeline, testServer, type TestServer } from '../../support/server.ts';

/** No reading comes by itself within a test. */
const LONG_MS = 3_600_000;

let server: TestServer;
let changes: ChangeBoard;
let views: Views;
let seen: PipelineStatus['state'][];
let ends: (() => void)[];
beforeEach(async () => {
  server = await testServer();
  changes = new ChangeBoard();
  views = pipelineViews({ ...server.deps, limits: { ...server.deps.limits, statusMs: LONG_MS } }, changes);
  seen = [];
  ends = [];
});
afterEach(async () => {
  for (const end of ends) end();
  views.close();
  await server.close();
});

const set = (state: PipelineStatus['state']): void =>
  void server.workflows.open.set('table/1', pipeline('table/1', { state }));

async function watched(): Promise<void> {
  ends.push(views.watch('table/1', ({ state }) => seen.push(state)));
  await expect.poll(() => seen).toEqual(['running']);
}

describe('a watched pipeline', () => {
  beforeEach(() => set('running'));

  test('is read at once when it tells its verdict', async () => {
    await watched();
    set('success');
    changes.tell({ pipeline: 'table/1', over: true });
    await expect.poll(() => seen).toEqual(['running', 'success']);
  });

  test('is read again when the verdict is told during a reading', async () => {
    await watched();
    const status = server.workflows.status.bind(server.workflows);
    let release = (): void => undefined;
    server.workflows.status = async (id) => {
      const old = await status(id);
      await new Promise<void>((resolve) => (release = resolve));
      server.workflows.status = status;
      return old;
    };
    changes.tell({ pipeline: 'table/1', over: true });
    await expect.poll(() => server.workflows.asked).toBe(2);
    set('failed');
    changes.tell({ pipeline: 'table/1', over: true });
    release();
    await expect.poll(() => seen).toEqual(['running', 'failed']);
  });

  test('is not read more often because its jobs change, nor after its last watcher has left', async () => {
    await watched();
    for (let count = 0; count < 10; count += 1) changes.tell({ pipeline: 'table/1', over: false });
    for (const end of ends.splice(0)) end();
    changes.tell({ pipeline: 'table/1', over: true });
    expect(await views.status('table/1')).toMatchObject({ state: 'running' });
    expect(server.workflows.asked).toBe(1);
  });
});
