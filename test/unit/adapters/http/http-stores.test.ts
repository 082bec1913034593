import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { httpStores, type HttpStores } from '../../../../src/adapters/http/index.ts';
import type { LogRef } from '../../../../src/adapters/ports.ts';
import { testServer, TOKENS, type TestServer } from '../../../support/server.ts';

let server: TestServer;
let url: string;
let stores: HttpStores;
const ref: LogRef = { pipeline: 'table/7', job: 'build: [arm64] ä 🙂', attempt: 1 };
const bytes = (text: string): Uint8Array => Buffer.from(text);

beforeEach(async () => {
  server = await testServer();
  url = await server.app.listen({ port: 0, host: '127.0.0.1' });
  stores = httpStores({ url, workerToken: TOKENS.worker, patienceMs: 300 });
});
afterEach(async () => {
  await stores.close();
  await server.close();
});

describe('the stores over HTTP', () => {
  test('blobs: bytes, streams, present and missing ones', async () => {
    const digest = await stores.blobs.putBytes(bytes('hello'));
    expect(await server.stores.blobs.has(digest)).toBe(true);
    expect(Buffer.from(await stores.blobs.getBytes(digest)).toString()).toBe('hello');
    expect(await stores.blobs.has(digest)).toBe(true);
    expect(await stores.blobs.has(`sha256:${'0'.repeat(64)}`)).toBe(false);
    const big = Buffer.alloc(5_000_000, 'x');
    const put = await stores.blobs.putStream(Readable.from([big.subarray(0, 1_000), big.subarray(1_000)]));
    expect(put.bytes).toBe(big.length);
    expect((await buffer(await stores.blobs.getStream(put.digest))).equals(big)).toBe(true);
    await expect(stores.blobs.getBytes(put.digest, 10)).rejects.toMatchObject({ code: 'blob/too-large' });
    await expect(stores.blobs.getBytes(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
      code: 'blob/missing',
    });
    await expect(stores.blobs.getStream(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
      code: 'blob/missing',
    });
  });

  test('an empty blob and empty bytes', async () => {
    const digest = await stores.blobs.putBytes(new Uint8Array());
    expect(await stores.blobs.getBytes(digest)).toHaveLength(0);
  });

  test('a stream that breaks is an error, and leaves no blob', async () => {
    const broken = Readable.from(
      (async function* () {
        yield bytes('half');
        throw new Error('the engine went away');
      })(),
    );
    await expect(stores.blobs.putStream(broken)).rejects.toThrow(/engine went away/);
  });

  test('a blob that is too large is refused during the transfer', async () => {
    server.deps.limits.workerBlobBytes = 1_000_000;
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    await expect(stores.blobs.putStream(endless)).rejects.toMatchObject({
      code: expect.stringMatching(/request\/too-large|store\/unreachable/),
    });
    expect(endless.destroyed).toBe(true);
  });

  test('changes that workflows tell', async () => {
    await stores.changes.tell([
      { pipeline: 'table/7', over: true },
      { project: 'table', key: 'push:main' },
    ]);
    await expect(stores.changes.tell([{ project: 'NO SLUG', key: 'k' }])).rejects.toMatchObject({
      code: 'usage/invalid',
    });
  });

  test('records', async () => {
    expect(await stores.records.get('claims/a')).toBeUndefined();
    expect(await stores.records.putIfAbsent('claims/a', { by: 1 })).toEqual({
      created: true,
      value: { by: 1 },
    });
    expect(await stores.records.putIfAbsent('claims/a', { by: 2 })).toEqual({
      created: false,
      value: { by: 1 },
    });
    await stores.records.put('claims/a', { by: 3 });
    expect(await stores.records.get('claims/a')).toEqual({ by: 3 });
    expect(await stores.records.list('claims', 5)).toEqual(['claims/a']);
    expect(await stores.records.allocate('jobs', 'me', 5)).toBe(1);
    expect(await stores.records.allocate('jobs', 'you', 1)).toBe(6);
    await expect(stores.records.put('../x', 1)).rejects.toMatchObject({ code: 'usage/invalid' });
  });

  test('logs, with job names of all alphabets', async () => {
    expect(await stores.logs.state(ref)).toBeUndefined();
    const whole = { ...ref, jobId: 5, epoch: 1 };
    expect(await stores.logs.open(whole, 1)).toMatchObject({ offset: 0, epoch: 1 });
    const checkpoint = { engineTime: '2026-01-01T00:00:00.000000001Z', recordsAtTime: 2, offset: 3 };
    const state = await stores.logs.append(whole, {
      epoch: 1,
      offset: 0,
      bytes: bytes('line\n'),
      checkpoint,
    });
    expect(state).toEqual({ offset: 5, crc: crc32('line\n'), epoch: 1, checkpoint, incomplete: false });
    expect(await stores.logs.state(ref)).toEqual(state);
    const read = await stores.logs.read(ref, 1, 3);
    expect([Buffer.from(read.bytes).toString(), read.state]).toEqual(['ine', state]);
    const summary = { bytes: 5, crc: crc32('line\n').toString(16).padStart(8, '0'), complete: true };
    expect((await stores.logs.end(whole, { epoch: 1, summary })).ended).toEqual(summary);
    await expect(stores.logs.open(ref, 0)).rejects.toMatchObject({ code: 'log/fenced' });
    await expect(stores.logs.read({ ...ref, attempt: 2 }, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    const gap = { epoch: 1, offset: 9, bytes: bytes('x') };
    await expect(stores.logs.append(ref, gap)).rejects.toMatchObject({ code: 'log/offset' });
  });

  test('the fleet and the facts', async () => {
    const report = {
      id: 'w1',
      hostId: 'h1',
      hostName: 'pi',
      arches: ['arm32' as const],
      emulated: [],
      tags: ['gpio'],
      targets: [],
      deviceTags: [],
      slots: 2,
      version: '1',
    };
    await stores.fleet.report(report);
    expect(await stores.fleet.live()).toEqual([{ ...report, seenAt: expect.any(Number) }]);
    const facts = await stores.facts();
    expect(facts).toMatchObject({ installation: 'the-installation', url: 'http://davit.test' });
    expect(facts.config).not.toHaveProperty('users');
    expect(facts.config.helper_image).toBe('davit/helper:1');
  });
});

describe('errors of the connection', () => {
  test('a wrong token is reported at once', async () => {
    const stranger = httpStores({ url, workerToken: TOKENS.operator, patienceMs: 10_000 });
    await expect(stranger.facts()).rejects.toMatchObject({ code: 'auth/missing', http: 401 });
    await stranger.close();
  });

  test('an unreachable server is retried, then reported as unreachable', async () => {
    const { port } = new URL(url);
    await server.app.close();
    const away = stores.records.get('a');
    await expect(away).rejects.toMatchObject({ code: 'store/unreachable' });
    const patient = httpStores({ url, workerToken: TOKENS.worker, patienceMs: 10_000 });
    const answer = patient.records.get('a');
    const next: Server = createServer((_request, response) => response.end('{"value":42}'));
    await new Promise<void>((resolve) => void next.listen(Number(port), '127.0.0.1', resolve));
    expect(await answer).toBe(42);
    await patient.close();
    next.close();
  });

  test('503 is retried, and a response that is not from davit has a code', async () => {
    let asked = 0;
    const odd = createServer((_request, response) => {
      asked += 1;
      if (asked === 1) response.writeHead(503).end('<h1>starting</h1>');
      else response.writeHead(418).end('<h1>teapot</h1>');
    });
    await new Promise<void>((resolve) => void odd.listen(0, '127.0.0.1', resolve));
    const { port } = odd.address() as AddressInfo;
    const other = httpStores({ url: `http://127.0.0.1:${port}`, workerToken: TOKENS.worker });
    await expect(other.facts()).rejects.toMatchObject({ code: 'internal/defect' });
    expect(asked).toBe(2);
    await other.close();
    odd.close();
  });
});
