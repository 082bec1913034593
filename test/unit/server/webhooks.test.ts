import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DavitError } from '../../../src/errors.ts';
import { deliver, merge, push, SHA, sign, type Delivery, type Forge } from '../../support/deliveries.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const SECRET = 'a-secret-of-the-table';
const projects = FORGES.flatMap((forge) => [
  { name: `table-${forge}`, forge, repository: 'group/table' },
  { name: `chair-${forge}`, forge, repository: 'group/chair' },
  { name: `open-${forge}`, forge, repository: 'group/open' },
]);
/** `open-*` has no secret. */
const secrets = Object.fromEntries(
  FORGES.flatMap((forge) => [
    [`table-${forge}`, SECRET],
    [`chair-${forge}`, 'a-secret-of-the-chair'],
  ]),
);

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects, secrets, limits: { webhookBytes: 100_000, webhookBodyMs: 200 } });
});
afterEach(() => server.close());

const send = ({ headers, body }: Delivery, url: string) =>
  server.app.inject({ method: 'POST', url, headers, payload: body });
const pushed = (forge: Forge, of: Parameters<typeof push>[1] = {}, secret = SECRET): Delivery => {
  const { event, payload } = push(forge, of);
  return deliver(forge, event, { payload, secret });
};
const merged = (forge: Forge, of: Parameters<typeof merge>[1] = {}): Delivery => {
  const { event, payload } = merge(forge, of);
  return deliver(forge, event, { payload, secret: SECRET });
};

describe.each(FORGES)('%s', (forge) => {
  const url = `/webhooks/${forge}/table-${forge}`;
  const code = async (delivery: Delivery, to = url): Promise<unknown[]> => {
    const answer = await send(delivery, to);
    return [answer.statusCode, answer.json().error?.code];
  };

  test.each([url, `/webhooks/${forge}`])('a push to %s starts a pipeline', async (to) => {
    const answer = await send(pushed(forge), to);
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { key: `push:refs/heads/main:${SHA.a}:${SHA.b}`, project: `table-${forge}` },
    ]);
    expect(server.workflows.triggers).toEqual([
      {
        project: `table-${forge}`,
        source: 'push',
        key: `push:refs/heads/main:${SHA.a}:${SHA.b}`,
        deliveryId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ref: 'main',
        refKind: 'branch',
        sha: SHA.b,
        before: SHA.a,
        title: 'a change',
        message: 'a change\n\nwith words',
        actor: 'ada',
        defaultBranch: 'main',
        cloneUrl: 'https://forge.test/group/table.git',
        repository: { id: '1', path: 'group/table' },
        fork: false,
        receivedAt: expect.any(Number),
      },
    ]);
  });

  test('a merge request has more facts if the forge sends them', async () => {
    const { event, payload } = merge(forge);
    const own = { id: 77, draft: true, labels: [{ name: 'bug' }], assignees: [{ login: 'ada' }] };
    const facts =
      forge === 'gitlab'
        ? {
            ...payload,
            object_attributes: {
              ...Object(payload.object_attributes),
              id: 77,
              draft: true,
              description: 'x'.repeat(3_000),
            },
            labels: [{ title: 'bug' }],
            assignees: [{ username: 'ada' }],
          }
        : { ...payload, pull_request: { ...Object(payload.pull_request), ...own, body: 'x'.repeat(3_000) } };
    await send(deliver(forge, event, { payload: facts, secret: SECRET }), url);
    expect(server.workflows.triggers[0]?.mergeRequest).toMatchObject({
      id: '77',
      draft: true,
      labels: ['bug'],
      assignees: ['ada'],
      description: 'x'.repeat(2_700),
      descriptionCut: true,
    });
    // Additional facts never make a delivery fail.
    const odd = { ...facts, labels: 7, assignees: [{}] };
    expect((await send(deliver(forge, event, { payload: odd, secret: SECRET }), url)).statusCode).toBe(202);
  });

  test('a tag', async () => {
    await send(pushed(forge, { ref: 'refs/tags/v1/x', before: SHA.zero }), url);
    expect(server.workflows.triggers).toMatchObject([
      { source: 'tag', refKind: 'tag', ref: 'v1/x', key: `push:refs/tags/v1/x:${SHA.zero}:${SHA.b}` },
    ]);
  });

  test('a merge request of the same repository, of a fork, of a fork that is gone', async () => {
    for (const from of [1, 2, null]) await send(merged(forge, { from }), url);
    expect(server.workflows.triggers.map((one) => one.fork)).toEqual([false, true, true]);
    expect(server.workflows.triggers[0]).toMatchObject({
      source: 'merge_request',
      refKind: 'merge_request',
      key: `merge_request:3:${SHA.zero}:${SHA.b}`,
      ref: forge === 'gitlab' ? 'refs/merge-requests/3/head' : 'refs/pull/3/head',
      sha: SHA.b,
      title: 'Better legs',
      actor: 'ada',
      mergeRequest: {
        iid: 3,
        sourceBranch: 'legs',
        targetBranch: 'main',
        sourceSha: SHA.b,
        title: 'Better legs',
      },
    });
  });

  test.each([
    ['a deleted branch', () => pushed(forge, { after: SHA.zero }), /deleted/],
    ['a ref that is neither branch nor tag', () => pushed(forge, { ref: 'refs/notes/x' }), /neither/],
    ['a commit with [skip ci]', () => pushed(forge, { message: 'words [Skip CI] more' }), /skip ci/],
    ['a commit with [ci-skip]', () => pushed(forge, { message: 'words\n\n[ci-skip]' }), /skip ci/],
    ['a merge request that was labelled', () => merged(forge, { action: 'labeled' }), /no new commits/],
    [
      'an event of another kind',
      () => deliver(forge, 'issues', { payload: { object_kind: 'issue', repository: {} }, secret: SECRET }),
      /start nothing/,
    ],
  ])('%s starts nothing, with a reason', async (_what, delivery, reason) => {
    const answer = await send(delivery(), url);
    expect([answer.statusCode, answer.json().ignored]).toEqual([200, expect.stringMatching(reason)]);
    expect(server.workflows.triggers).toEqual([]);
  });

  test("no signature, a wrong one, another project's, a project without a secret: the same answer", async () => {
    const good = pushed(forge);
    const bare = { body: good.body, headers: { 'content-type': 'application/json' } };
    const refused = [
      await send(bare, url),
      await send(pushed(forge, {}, 'wrong'), url),
      await send(pushed(forge, {}, ''), url),
      await send(pushed(forge, {}, 'a-secret-of-the-chair'), url),
      await send(pushed(forge), `/webhooks/${forge}/open-${forge}`),
      await send(pushed(forge), `/webhooks/${forge}/nobody`),
      await send(pushed(forge), `/webhooks/${FORGES.find((other) => other !== forge)}/table-${forge}`),
    ];
    expect(new Set(refused.map((answer) => answer.statusCode))).toEqual(new Set([401]));
    expect(new Set(refused.map((answer) => answer.json().error.code))).toEqual(
      new Set(['webhook/signature']),
    );
    expect(server.workflows.triggers).toEqual([]);
  });

  test('a signature of other bytes, or another form', async () => {
    const good = pushed(forge);
    if (forge !== 'gitlab')
      expect(await code({ ...good, body: `${good.body} ` })).toEqual([401, 'webhook/signature']);
    const name = { gitlab: 'x-gitlab-token', github: 'x-hub-signature-256', gitea: 'x-gitea-signature' }[
      forge
    ];
    for (const bad of [
      '',
      'sha256=',
      'sha1=abc',
      `${good.headers[name]}0`,
      `${good.headers[name]}`.slice(0, -2),
    ])
      expect(await code({ ...good, headers: { ...good.headers, [name]: bad } }), bad).toEqual([
        401,
        'webhook/signature',
      ]);
  });

  test('a delivery about another repository, signed with this secret', async () => {
    expect(await code(pushed(forge, { repository: 'group/chair' }))).toEqual([403, 'webhook/repository']);
    expect(await code(pushed(forge, { repository: 'group/chair' }), `/webhooks/${forge}`)).toEqual([
      403,
      'webhook/repository',
    ]);
    expect((await send(pushed(forge, { repository: 'Group/Table' }), url)).statusCode).toBe(202);
    expect(server.workflows.triggers).toHaveLength(1);
  });

  test('the same delivery again is answered alike, under the same key and delivery id', async () => {
    const delivery = pushed(forge);
    const answers = [await send(delivery, url), await send(delivery, url)];
    expect(answers.map((answer) => answer.statusCode)).toEqual([202, 202]);
    const [first, second] = server.workflows.triggers;
    expect([second?.key, second?.deliveryId]).toEqual([first?.key, first?.deliveryId]);
  });

  test('Temporal down is 503, and nothing is stored', async () => {
    server.workflows.failure = new DavitError('temporal/unreachable', 'No Temporal.');
    const answer = await send(pushed(forge), url);
    expect([answer.statusCode, answer.json().error.code, answer.headers['retry-after']]).toEqual([
      503,
      'temporal/unreachable',
      '1',
    ]);
    expect(server.workflows.triggers).toEqual([]);
  });

  test('a body that is not an event is 400', async () => {
    const { event, payload } = push(forge);
    const damaged = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(
        '',
        '{',
        '[]',
        'null',
        '{"__proto__":{"x":1}}',
        '\ud800',
        '[[[[[[',
        `${'['.repeat(20_000)}`,
      ),
      fc.constantFrom(...Object.keys(payload)).map((key) => JSON.stringify({ ...payload, [key]: undefined })),
      fc
        .tuple(fc.constantFrom(...Object.keys(payload)), fc.jsonValue())
        .map(([key, value]) => JSON.stringify({ ...payload, [key]: value })),
    );
    await fc.assert(
      fc.asyncProperty(damaged, async (body) => {
        const answer = await send(sign(forge, event, { body, secret: SECRET }), url);
        expect([200, 202, 400, 403], answer.body).toContain(answer.statusCode);
        expect(answer.body).not.toMatch(/ at |node_modules|\.ts/);
      }),
      { numRuns: 150 },
    );
    expect(({} as { x?: number }).x).toBeUndefined();
    expect(await code(sign(forge, event, { body: '{', secret: SECRET }))).toEqual([400, 'webhook/body']);
    expect(await code(sign(forge, event, { body: '{}', secret: SECRET }))).toEqual([400, 'webhook/body']);
  });

  test('refs and texts of any kind are data', async () => {
    const evil = ['$(touch${IFS}/pwn)', '`id`', 'a\'b"c', '--upload-pack=x', '../../x', '😀'];
    for (const name of evil)
      expect((await send(pushed(forge, { ref: `refs/heads/${name}` }), url)).statusCode, name).toBe(202);
    expect(server.workflows.triggers.map((one) => one.ref)).toEqual(evil);
    for (const bad of ['a\nb', 'a\0b', 'a\u001bb', 'x'.repeat(600)])
      expect(await code(pushed(forge, { ref: `refs/heads/${bad}` }))).toEqual([400, 'webhook/body']);
    await send(pushed(forge, { message: `${'t'.repeat(5_000)}\u0000\n${'m'.repeat(50_000)}` }), url);
    const last = server.workflows.triggers.at(-1);
    expect([last?.title.length, last?.message?.length]).toEqual([255, 4_096]);
  });
});

describe('request bodies', () => {
  test('a too large one is refused, with or without a declared length', async () => {
    const huge = 'x'.repeat(200_000);
    const said = await send(sign('github', 'push', { body: huge, secret: SECRET }), '/webhooks/github');
    expect([said.statusCode, said.json().error.code]).toEqual([413, 'request/too-large']);
    const address = await listen();
    const socket = connect(address.port, '127.0.0.1');
    socket.write(
      `POST /webhooks/github HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const piece = 'y'.repeat(10_000);
    for (let n = 0; n < 20; n += 1) socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    expect(await reply(socket)).toContain(' 413 ');
  });

  test('a slow delivery does not delay another one', async () => {
    await server.close();
    // Longer than the timeout of the test.
    server = await testServer({ projects, secrets, limits: { webhookBodyMs: 600_000 } });
    const socket = await beginSlowly();
    expect((await send(pushed('github'), '/webhooks/github')).statusCode).toBe(202);
    socket.destroy();
  });

  test('a slow delivery is refused after its time', async () => {
    expect(await reply(await beginSlowly())).toContain(' 408 ');
  });

  test('all together use no more memory than the limit', async () => {
    await server.close();
    server = await testServer({
      projects,
      secrets,
      limits: { webhookTotalBytes: 49_500, webhookBodyMs: 2_000 },
    });
    const address = await listen();
    const holder = connect(address.port, '127.0.0.1');
    const head = `POST /webhooks/github HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\ncontent-length: 49500\r\n\r\n`;
    holder.write(`${head}${'z'.repeat(49_400)}`);
    const refused = async (): Promise<number> =>
      (await send(pushed('github'), '/webhooks/github')).statusCode;
    await expect.poll(refused).toBe(503);
    holder.destroy();
    await expect.poll(refused).toBe(202);
  });

  test('a wrong token is refused before the body arrives', async () => {
    const address = await listen();
    const socket = connect(address.port, '127.0.0.1');
    socket.write(
      `POST /webhooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: wrong\r\ncontent-length: 90000\r\n\r\n`,
    );
    const answer = await reply(socket);
    expect(answer).toContain(' 401 ');
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  const listen = async (): Promise<AddressInfo> => {
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    return server.app.server.address() as AddressInfo;
  };
  const beginSlowly = async (): Promise<ReturnType<typeof connect>> => {
    const address = await listen();
    const socket = connect(address.port, '127.0.0.1');
    socket.write(
      `POST /webhooks/github HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\ncontent-length: 50\r\n\r\n{`,
    );
    return socket;
  };
  const reply = async (socket: ReturnType<typeof connect>): Promise<string> => {
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return data.toString();
  };
});

describe('a thousand at once', () => {
  test('are all answered, with a bounded number on the way to Temporal', async () => {
    let under = 0;
    let most = 0;
    server.workflows.onTrigger = async () => {
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
    };
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        send(pushed('github', { after: (n + 0x1000000).toString(16).padStart(40, 'c') }), '/webhooks/github'),
      ),
    );
    expect(answers.every((answer) => answer.statusCode === 202)).toBe(true);
    expect(new Set(server.workflows.triggers.map((one) => one.key)).size).toBe(1_000);
    expect(most).toBeLessThanOrEqual(128);
  });

  test('a Temporal that hangs: every delivery is refused in time', async () => {
    await server.close();
    server = await testServer({ projects, secrets, limits: { webhookAnswerMs: 100 } });
    const held = Promise.withResolvers<void>();
    server.workflows.onTrigger = async () => {
      await held.promise;
      throw new DavitError('temporal/unreachable', 'away');
    };
    const sent = Array.from({ length: 300 }, (_, n) =>
      send(pushed('github', { after: (n + 0x1000000).toString(16).padStart(40, 'c') }), '/webhooks/github'),
    );
    const waited: unknown[] = [];
    for (const one of sent) void one.then((answer) => waited.push(answer.json().error.code));
    await expect.poll(() => waited.length).toBe(300 - 128);
    expect(new Set(waited)).toEqual(new Set(['server/busy']));
    held.resolve();
    expect((await Promise.all(sent)).every((answer) => answer.statusCode === 503)).toBe(true);
    expect(server.workflows.triggers).toEqual([]);
  });

  test('many deliveries of one project do not block another project', async () => {
    const order: string[] = [];
    const gateOpen = Promise.withResolvers<void>();
    server.workflows.onTrigger = async (trigger) => {
      await gateOpen.promise;
      order.push(trigger.project);
    };
    const crowd = Array.from({ length: 400 }, (_, n) =>
      send(pushed('github', { after: (n + 0x1000000).toString(16).padStart(40, 'c') }), '/webhooks/github'),
    );
    const one = send(pushed('gitea'), '/webhooks/gitea');
    await expect.poll(() => server.workflows.triggers.length + order.length).toBe(0);
    gateOpen.resolve();
    expect((await one).statusCode).toBe(202);
    await Promise.all(crowd);
    expect(order.indexOf('table-gitea')).toBeLessThan(300);
  });
});
