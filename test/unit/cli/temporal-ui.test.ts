import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTemporalUi, linksText } from '../../../src/cli/temporal-ui.ts';
import { readSettings } from '../../../src/config.ts';
import { writeRunFile } from '../../../src/local/process/run-file.ts';
import type { TemporalPlace } from '../../../src/server/api.ts';
import { testServer, TOKENS } from '../../support/server.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-ui-'));
  await writeRunFile(
    { home },
    {
      pid: process.pid,
      version: '0',
      startedAt: 0,
      server: 'http://127.0.0.1:1',
      temporal: '127.0.0.1:2',
      temporalUi: 'http://127.0.0.1:8233',
      namespace: 'davit',
      registry: '127.0.0.1:3',
      helperImage: 'x',
      processes: [],
    },
  );
});
afterAll(() => rm(home, { recursive: true, force: true }));

describe("the address of Temporal's UI", () => {
  const find = (env: Record<string, string>, temporal: () => Promise<TemporalPlace>) =>
    findTemporalUi({ settings: readSettings({ DAVIT_HOME: home, ...env }) }, { temporal });
  const elsewhere = { DAVIT_SERVER: 'https://davit.example.com' };
  const away = () => Promise.reject(new Error('no such route'));

  test('is what the installation file of the server says', async () => {
    const told = async () => ({ ui: 'https://temporal.example.com', namespace: 'ci' });
    expect(await find(elsewhere, told)).toEqual({ address: 'https://temporal.example.com', namespace: 'ci' });
    expect(await find({}, told)).toMatchObject({ address: 'https://temporal.example.com' });
  });
  test('else that of the davit of this machine, also if the server is away', async () => {
    const here = { address: 'http://127.0.0.1:8233', namespace: 'davit' };
    expect(await find({}, async () => ({ namespace: 'davit' }))).toEqual(here);
    expect(await find({}, away)).toEqual(here);
  });
  test('is not that of this machine where the server is another one', async () => {
    expect(await find(elsewhere, async () => ({ namespace: 'davit' }))).toBeUndefined();
    expect(await find(elsewhere, away)).toBeUndefined();
  });
  test('is told by the server to readers', async () => {
    const server = await testServer({ temporalUi: 'https://temporal.example.com' });
    try {
      const headers = { authorization: `Bearer ${TOKENS.reader}` };
      const answer = await server.app.inject({ url: '/api/v1/temporal', headers });
      expect(answer.json()).toEqual({ namespace: 'davit', ui: 'https://temporal.example.com' });
      expect((await server.app.inject({ url: '/api/v1/temporal' })).statusCode).toBe(401);
    } finally {
      await server.close();
    }
  });
});

test('`davit status` shows the pipeline there, and the lists of those that wait', () => {
  const lines = linksText({ address: 'http://ui', namespace: 'davit' }, 'table/3').trim().split('\n');
  expect(lines[1]).toMatch(
    /^ {2}this pipeline +http:\/\/ui\/namespaces\/davit\/workflows\/pipeline%2Ftable%2F3$/,
  );
  expect(lines.slice(2).map((line) => line.trim().split(/ {2,}/)[0])).toEqual([
    'waits for a person',
    'waits for a worker',
    'stands still',
  ]);
});
