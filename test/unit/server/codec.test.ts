import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installationSchema } from '../../../src/installation.ts';
import { parsePayloadKeys, payloadCodec } from '../../../src/temporal/codec.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';

const UI = 'https://temporal.test';
const codec = payloadCodec(parsePayloadKeys(randomBytes(32).toString('hex'), 'the file'));
let server: TestServer;
beforeAll(async () => {
  server = await testServer({ codec, temporalUi: UI });
});
afterAll(() => server.close());

const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`any:${token}`).toString('base64')}`,
});
const post = (path: string, headers: Record<string, string>, payload: object, of = server) =>
  of.app.inject({
    method: 'POST',
    url: `/api/v1/codec/${path}`,
    headers: { host: 'ci.test', ...headers },
    payload,
  });
const plain = () => {
  const { metadata, data } = defaultPayloadConverter.toPayload({ title: 'a canary' });
  const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
  return { metadata: { encoding: text(metadata?.encoding) }, data: text(data) };
};

test('what it seals it opens, in the form of Temporal, by bearer and by basic authentication', async () => {
  const payloads = [plain(), plain()];
  const sealed = await post('encode', bearer(TOKENS.operator), { payloads });
  expect(sealed.body).not.toContain(plain().data);
  for (const headers of [bearer(TOKENS.operator), basic(TOKENS.operator)])
    expect((await post('decode', headers, sealed.json())).json()).toEqual({ payloads });
});

test('is for operators', async () => {
  for (const headers of [bearer(TOKENS.developer), basic(TOKENS.developer)])
    expect((await post('decode', headers, { payloads: [] })).statusCode).toBe(403);
  for (const headers of [basic('unknown-0123456789'), bearer(TOKENS.worker), {}])
    expect((await post('decode', headers, { payloads: [] })).statusCode).toBe(401);
  const page = await server.app.inject({ url: '/api/v1/codec' });
  expect(page.headers['www-authenticate']).toMatch(/^Basic /);
  expect(
    (await server.app.inject({ url: '/api/v1/codec', headers: basic(TOKENS.operator) })).statusCode,
  ).toBe(200);
});

test("a password is a token on these routes alone, and other origins than Temporal's UI are refused", async () => {
  const elsewhere = { url: '/api/v1/workers', headers: basic(TOKENS.operator) };
  expect((await server.app.inject(elsewhere)).statusCode).toBe(401);
  const from = (origin: string) => post('decode', { ...basic(TOKENS.operator), origin }, { payloads: [] });
  const allowed = await from(UI);
  expect(allowed.statusCode).toBe(200);
  expect(allowed.headers).toMatchObject({
    'access-control-allow-origin': UI,
    'access-control-allow-credentials': 'true',
  });
  expect((await from('https://evil.test')).statusCode).toBe(403);
  expect(
    (await server.app.inject({ url: '/api/v1/workers', headers: { ...bearer(TOKENS.operator), origin: UI } }))
      .statusCode,
  ).toBe(403);
});

test('a browser asks first, without a token', async () => {
  const asked = await server.app.inject({
    method: 'OPTIONS',
    url: '/api/v1/codec/decode',
    headers: { origin: UI, 'access-control-request-method': 'POST' },
  });
  expect(asked.statusCode).toBe(204);
  expect(asked.headers['access-control-allow-origin']).toBe(UI);
  expect(asked.headers['access-control-allow-headers']).toContain('x-namespace');
});

test('a payload that was changed is refused, and without keys there is nothing to open', async () => {
  const [sealed] = (await post('encode', bearer(TOKENS.operator), { payloads: [plain()] })).json<{
    payloads: { metadata: object; data: string }[];
  }>().payloads;
  const data = Buffer.from(sealed?.data ?? '', 'base64');
  data[20] = (data[20] ?? 0) ^ 1;
  const changed = { payloads: [{ ...sealed, data: data.toString('base64') }] };
  expect((await post('decode', bearer(TOKENS.operator), changed)).json()).toMatchObject({
    error: { code: 'temporal/payload-key' },
  });
  const without = await testServer();
  const answer = await post('decode', bearer(TOKENS.operator), { payloads: [] }, without);
  expect(answer.statusCode).toBe(404);
  expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  await without.close();
});

test('temporal_ui is an address, of which the origin counts', () => {
  expect(installationSchema.parse({ temporal_ui: 'http://127.0.0.1:8233/namespaces' }).temporal_ui).toBe(
    'http://127.0.0.1:8233',
  );
  expect(installationSchema.safeParse({ temporal_ui: '*' }).success).toBe(false);
});
