/** `manual_confirmation`: asked on a terminal, confirmed by --yes, and never skipped. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { testCli } from './support.ts';

let server: Server;
let asked: unknown[] = [];
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await json(request);
  asked.push(body);
  const sure = typeof body === 'object' && body !== null && 'confirm' in body;
  const refusal = { error: { code: 'job/unconfirmed', message: 'Drop all?', hint: 'Read it.' } };
  response.writeHead(sure ? 200 : 409, { 'content-type': 'application/json' });
  response.end(JSON.stringify(sure ? { accepted: true, message: 'drop starts.' } : refusal));
}

async function play(args: string[], typed?: string) {
  const { port } = server.address() as AddressInfo;
  const env = { DAVIT_SERVER: `http://127.0.0.1:${port}`, DAVIT_TOKEN: 'dvt_token' };
  const { cli, written } = testCli(tmpdir(), tmpdir(), env);
  if (typed !== undefined) Object.assign(cli.io, { interactive: true, stdin: Readable.from([`${typed}\n`]) });
  const exit = await runCli(cli, ['play', 'table/3', 'drop', ...args]);
  return { exit, ...written };
}

test('without a terminal the text is printed, and nothing starts', async () => {
  const { exit, err } = await play([]);
  expect(exit).toBe(1);
  expect(err).toContain('Drop all? [job/unconfirmed]');
  expect(asked).toEqual([{ action: 'play', job: 'drop' }]);
});

test('--yes confirms at once', async () => {
  const { exit, out } = await play(['--yes']);
  expect([exit, out]).toEqual([0, 'drop starts.\n']);
  expect(asked).toEqual([{ action: 'play', job: 'drop', confirm: true }]);
});

test('a person on a terminal is asked', async () => {
  const yes = await play([], 'y');
  expect([yes.exit, yes.out]).toEqual([0, 'drop starts.\n']);
  expect(yes.err).toContain('Drop all? [y/N]');
  asked = [];
  const no = await play([], 'maybe');
  expect(no.exit).toBe(1);
  expect(asked).toHaveLength(1);
});
