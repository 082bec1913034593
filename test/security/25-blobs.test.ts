/** Row 25: a blob is a download, whatever bytes it has, and only operators read one by its digest. */
import { expect, test } from 'vitest';
import { bearer, testServer, TOKENS } from '../support/server.ts';

test('a page in the blob store is downloaded, not shown', async () => {
  const server = await testServer();
  try {
    const page = Buffer.from('<script>alert(1)</script>');
    const url = `/api/v1/blobs/${await server.stores.blobs.putBytes(page)}`;
    const answer = await server.app.inject({ url, headers: bearer(TOKENS.operator) });
    expect([answer.statusCode, answer.headers]).toEqual([
      200,
      expect.objectContaining({
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment',
        'x-content-type-options': 'nosniff',
      }),
    ]);
    for (const token of [TOKENS.reader, TOKENS.developer])
      expect((await server.app.inject({ url, headers: bearer(token) })).statusCode).toBe(403);
  } finally {
    await server.close();
  }
});
