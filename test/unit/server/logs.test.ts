import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRef } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { LogChunkEvent } from '../../../src/server/api.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { openEvents } from '../../support/sse.ts';

let server: TestServer;
let url: string;
const KEY = 'build: [arm64]';
const ref: LogRef = { pipeline: 'table/1', job: KEY, attempt: 2 };
const path = `/api/v1/pipelines/table/1/log?job=${encodeURIComponent(KEY)}`;
const followPath = path.replace('/log?', '/log/follow?');
const auth = bearer(TOKENS.reader);

beforeEach(async () => {
  server = await testServer();
  url = await server.app.listen({ port: 0, host: '127.0.0.1' });
  setJob('running');
});
afterEach(() => server.close());

const setJob = (phase: 'running' | 'ended', attempt = 2): void =>
  void server.workflows.open.set('table/1', pipeline('table/1', { jobs: [job(KEY, { phase, attempt })] }));
let written = '';
beforeEach(() => {
  written = '';
});
async function write(text: string): Promise<void> {
  await server.stores.logs.append(ref, {
    epoch: 1,
    offset: Buffer.byteLength(written),
    bytes: Buffer.from(text),
  });
  written += text;
}
const end = () =>
  server.stores.logs.end(ref, {
    epoch: 1,
    summary: {
      bytes: Buffer.byteLength(written),
      crc: crc32(written).toString(16).padStart(8, '0'),
      complete: true,
    },
  });
const textOf = (data: unknown): string => Buffer.from((data as LogChunkEvent).bytes, 'base64').toString();

describe('reading', () => {
  test('while Temporal is down, of the last attempt that has written', async () => {
    await server.stores.logs.open(ref, 1);
    await write('why it failed');
    server.workflows.failure = new DavitError('temporal/unreachable', 'No Temporal.');
    const answer = await server.app.inject({ url: path, headers: auth });
    expect([answer.statusCode, answer.body]).toEqual([200, 'why it failed']);
    expect(answer.headers).toMatchObject({ 'x-davit-log-attempt': '2', 'x-davit-log-ended': 'false' });
    const other = await server.app.inject({ url: path.replace('table/1', 'table/2'), headers: auth });
    expect([other.statusCode, other.json().error.code]).toEqual([503, 'temporal/unreachable']);
  });
  test('from an offset, of the last attempt unless another is requested', async () => {
    await server.stores.logs.open(ref, 1);
    await write('0123456789');
    const answer = await server.app.inject({ url: `${path}&offset=4`, headers: auth });
    expect(answer.body).toBe('456789');
    expect(answer.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-davit-log-attempt': '2',
      'x-davit-log-offset': '4',
      'x-davit-log-bytes': '10',
      'x-davit-log-ended': 'false',
      'x-davit-log-complete': 'true',
    });
    expect((await server.app.inject({ url: `${path}&attempt=1`, headers: auth })).statusCode).toBe(404);
    expect((await server.app.inject({ url: `${path}x`, headers: auth })).statusCode).toBe(404);
    expect((await server.app.inject({ url: `${path}&offset=-1`, headers: auth })).statusCode).toBe(400);
    expect((await server.app.inject({ url: `${path}&offset=99`, headers: auth })).body).toBe('');
  });

  test('a large one in chunks and whole', async () => {
    await server.stores.logs.open(ref, 1);
    for (let n = 0; n < 8; n += 1) await write('x'.repeat(100_000));
    const answer = await fetch(`${url}${path}`, { headers: auth });
    expect((await answer.text()).length).toBe(800_000);
  });
});

describe('following', () => {
  test('sends the existing log, then new lines, then the end', async () => {
    await server.stores.logs.open(ref, 1);
    await write('before ');
    const events = await openEvents(`${url}${followPath}`, auth);
    expect(events.response.headers.get('content-type')).toContain('text/event-stream');
    const first = await events.next();
    expect([first?.event, first?.id, textOf(first?.data)]).toEqual(['chunk', '7', 'before ']);
    await write('after');
    const second = await events.next();
    expect([second?.id, textOf(second?.data)]).toEqual(['12', 'after']);
    await end();
    expect(await events.next()).toEqual({
      event: 'end',
      id: '12',
      data: { bytes: 12, crc: crc32(written).toString(16).padStart(8, '0'), complete: true },
    });
    expect(await events.next()).toBeUndefined();
  });

  test('while Temporal is down as well, if there is a log', async () => {
    await server.stores.logs.open(ref, 1);
    await write('before');
    server.workflows.failure = new DavitError('temporal/unreachable', 'No Temporal.');
    const events = await openEvents(`${url}${followPath}`, auth);
    expect(textOf((await events.next())?.data)).toBe('before');
    await end();
    expect((await events.next())?.event).toBe('end');
    const none = await fetch(`${url}${followPath.replace('table/1', 'table/2')}`, { headers: auth });
    expect(none.status).toBe(503);
  });

  test('a client that reconnects continues at its offset', async () => {
    await server.stores.logs.open(ref, 1);
    await write('0123456789');
    await end();
    const events = await openEvents(`${url}${followPath}&offset=2`, { ...auth, 'last-event-id': '6' });
    expect(textOf((await events.next())?.data)).toBe('6789');
    expect((await events.next())?.event).toBe('end');
    const fromTwo = await openEvents(`${url}${followPath}&offset=2`, auth);
    expect(textOf((await fromTwo.next())?.data)).toBe('23456789');
    fromTwo.close();
  });

  test('a job that has not started is waited for', async () => {
    const events = await openEvents(`${url}${followPath}`, auth);
    await server.stores.logs.open(ref, 1);
    await write('now');
    expect(textOf((await events.next())?.data)).toBe('now');
    events.close();
  });

  test('a job that ended without closing its log ends the follow, not complete', async () => {
    await server.stores.logs.open(ref, 1);
    await write('half');
    const events = await openEvents(`${url}${followPath}`, auth);
    expect((await events.next())?.event).toBe('chunk');
    setJob('ended');
    expect(await events.next()).toMatchObject({ event: 'end', data: { bytes: 4, complete: false } });
    const whole = await server.app.inject({ url: path, headers: auth });
    expect(whole.headers).toMatchObject({ 'x-davit-log-ended': 'false', 'x-davit-log-complete': 'false' });
  });

  test('a newer attempt ends the follow of the older one', async () => {
    const events = await openEvents(`${url}${followPath}&attempt=1`, auth);
    expect(await events.next()).toMatchObject({ event: 'end', data: { bytes: 0, complete: false } });
  });

  test('nothing is kept for a reader that disconnected', async () => {
    await server.stores.logs.open(ref, 1);
    const events = await openEvents(`${url}${followPath}`, auth);
    await write('a');
    await events.next();
    let asked = server.workflows.asked;
    expect(asked).toBeGreaterThan(0);
    events.close();
    const grown = (): number => {
      const before = asked;
      asked = server.workflows.asked;
      return asked - before;
    };
    await expect.poll(grown, { interval: 120 }).toBe(0);
  });

  test('many followers of one log all get all of it', async () => {
    await server.stores.logs.open(ref, 1);
    const followers = await Promise.all(
      Array.from({ length: 20 }, () => openEvents(`${url}${followPath}`, auth)),
    );
    for (let n = 0; n < 20; n += 1) await write(`line ${n}\n`);
    await end();
    for (const events of followers) {
      let text = '';
      for (let event = await events.next(); event?.event === 'chunk'; event = await events.next())
        text += textOf(event.data);
      expect(text).toBe(written);
    }
  });

  test('a log of an unknown pipeline or job is not found', async () => {
    for (const bad of [followPath.replace('table/1', 'table/2'), `${followPath}x`])
      expect((await server.app.inject({ url: bad, headers: auth })).statusCode).toBe(404);
  });
});

describe('following a status', () => {
  test('sends the current status and every change', async () => {
    const events = await openEvents(`${url}/api/v1/pipelines/table/1/events`, auth);
    expect(await events.next()).toMatchObject({ event: 'status', data: { state: 'running' } });
    server.workflows.open.set('table/1', pipeline('table/1', { state: 'manual' }));
    expect(await events.next()).toMatchObject({ event: 'status', data: { state: 'manual' } });
    events.close();
    expect(
      (await server.app.inject({ url: '/api/v1/pipelines/table/9/events', headers: auth })).statusCode,
    ).toBe(404);
  });

  test('waits while Temporal is down', async () => {
    const events = await openEvents(`${url}/api/v1/pipelines/table/1/events`, auth);
    await events.next();
    server.workflows.failure = new Error('away');
    await expect.poll(async () => (await server.app.inject({ url: '/healthz' })).json().ok).toBe(false);
    server.workflows.open.set('table/1', pipeline('table/1', { state: 'success' }));
    server.workflows.failure = undefined;
    expect(await events.next()).toMatchObject({ event: 'status', data: { state: 'success' } });
    events.close();
  });

  test('a server that stops ends its streams', async () => {
    const events = await openEvents(`${url}/api/v1/pipelines/table/1/events`, auth);
    await events.next();
    await server.app.close();
    await expect(events.next().catch(() => undefined)).resolves.toBeUndefined();
  });
});
