/** `davit start` and `davit retry` without a job: what they ask the server for, and what they print. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { retriedText } from '../../../src/cli/commands/retry.ts';
import { testCli } from './support.ts';

let server: Server;
let url: string;
let asked: { path: string; body: unknown }[];
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body: unknown = JSON.parse((await text(request)) || 'null');
  const path = request.url ?? '';
  if (request.method === 'POST') asked.push({ path, body });
  const key = typeof body === 'object' && body !== null && 'key' in body ? body.key : '';
  const answers: [RegExp, object][] = [
    [/requests/, { state: 'started', pipeline: 'table/8' }],
    [/retry$/, { retried: ['b', 'c'], refused: [] }],
    [/./, { key, project: 'table' }],
  ];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answers.find(([of]) => of.test(path))?.[1]));
}
async function run(...args: string[]) {
  const { cli, written } = testCli(tmpdir(), tmpdir(), { DAVIT_SERVER: url, DAVIT_TOKEN: 'dvt_token' });
  return { exit: await runCli(cli, args), ...written };
}
const KEY = expect.stringMatching(/^request:[0-9a-f-]{36}$/);

test('start asks for a pipeline of the ref, with variables and inputs, and says where it is', async () => {
  const { exit, out } = await run(
    'start',
    'table',
    '--ref',
    'v2',
    '--var',
    'A=1',
    '--var',
    'B=x=y',
    '--input',
    'n=3',
    '--detach',
  );
  expect([exit, out]).toEqual([0, `table/8 was started: ${url}/pipelines/table/8\n`]);
  expect(asked).toEqual([
    {
      path: '/api/v1/projects/table/pipelines',
      body: { key: KEY, ref: 'v2', variables: { A: '1', B: 'x=y' }, inputs: { n: '3' }, source: 'api' },
    },
  ]);
});
test('start without a ref leaves it to the server', async () => {
  const { out } = await run('start', 'table', '--detach', '--json');
  expect(JSON.parse(out)).toEqual({ id: 'table/8', page: `${url}/pipelines/table/8` });
  expect(asked).toEqual([{ path: '/api/v1/projects/table/pipelines', body: { key: KEY, source: 'api' } }]);
});
test.each([
  ['start', '--again', 'table/3', '--detach'],
  ['retry', 'table/3', '--all'],
])('%s %s %s runs the whole pipeline again', async (...args) => {
  const { exit, out } = await run(...args);
  expect([exit, out]).toEqual([0, `table/8 was started: ${url}/pipelines/table/8\n`]);
  expect(asked).toEqual([{ path: '/api/v1/pipelines/table/3/again', body: { key: KEY } }]);
});
test('retry without a job asks for all that has failed', async () => {
  const { exit, out } = await run('retry', 'table/3', '--comment', 'the hub was away');
  expect([exit, out]).toEqual([0, 'table/3 continues with b, c.\n']);
  expect(asked).toEqual([{ path: '/api/v1/pipelines/table/3/retry', body: { comment: 'the hub was away' } }]);
});
test('retry of one job is a decision about it', async () => {
  await run('retry', 'table/3', 'unit');
  expect(asked).toEqual([
    { path: '/api/v1/pipelines/table/3/decisions', body: { action: 'retry', job: 'unit' } },
  ]);
});
test('what does not run again is named, without sequences of a terminal', () => {
  expect(
    retriedText('t/1', { retried: [], refused: [{ job: 'a\u001b[2J', message: 'It has not ended.' }] }),
  ).toBe('a does not run again: It has not ended.\n');
});
