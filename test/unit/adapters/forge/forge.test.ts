import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { forgeStatuses } from '../../../../src/adapters/forge/index.ts';
import { findCall, unsupportedParts, makeCall } from '../../../../src/adapters/forge/release.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';

const status = {
  project: 'table',
  sha: 'a'.repeat(40),
  ref: 'main',
  pipeline: 'table/7',
  context: 'davit/push',
  state: 'failed',
  url: 'http://davit.test/pipelines/table/7',
} as const;
const project = (kind: ForgeKind, url: string) => ({ name: 'table', kind, url, repository: 'group/table' });

test('the token goes to its forge only: a redirect is not followed, and no error shows it', async () => {
  const seen: { url?: string; token?: unknown }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url, token: request.headers['private-token'] });
    const moved = request.url?.startsWith('/moved');
    response.writeHead(moved ? 307 : 201, moved ? { location: '/elsewhere' } : {}).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const at = (path: string) =>
    forgeStatuses({
      projects: [
        {
          name: 'table',
          forge: 'gitlab',
          forge_url: `http://127.0.0.1:${port}${path}`,
          forge_token: 'env:T',
          repository: 'group/table',
        },
      ],
      secrets: { resolve: async () => 'canary-token' },
    });
  try {
    await at('').commitStatus(status);
    expect(seen).toEqual([{ url: expect.stringContaining('/statuses/'), token: 'canary-token' }]);
    const error: unknown = await at('/moved')
      .commitStatus(status)
      .then(undefined, (caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'forge/denied' });
    expect(JSON.stringify(error) + String(error)).not.toContain('canary-token');
    expect(seen).toHaveLength(2);
  } finally {
    server.close();
  }
  await expect(at('').commitStatus(status)).rejects.toMatchObject({ code: 'forge/away' });
});

test('a project without a forge or a token reports nothing', async () => {
  const forge = forgeStatuses({
    projects: [{ name: 'table', forge: 'none' }],
    secrets: { resolve: () => Promise.reject(new Error('not asked')) },
  });
  await forge.commitStatus(status);
  await forge.commitStatus({ ...status, project: 'unknown' });
});

describe('releases', () => {
  const release = {
    tagName: 'v1/x',
    description: 'Notes',
    ref: 'a'.repeat(40),
    milestones: ['m'],
    releasedAt: '2026-01-02T03:04:05Z',
    tagMessage: 'tagged',
    links: [{ name: 'bin', url: 'https://x.test/bin', filepath: '/bin', type: 'package' }],
  };
  test('each forge gets the request that it documents, and unsupported parts are named', () => {
    const gitlab = makeCall(project('gitlab', 'https://gitlab.test'), release, 't');
    expect(gitlab).toMatchObject({
      method: 'POST',
      url: 'https://gitlab.test/api/v4/projects/group%2Ftable/releases',
      headers: { 'private-token': 't' },
      body: {
        tag_name: 'v1/x',
        name: 'v1/x',
        tag_message: 'tagged',
        milestones: ['m'],
        assets: { links: [{ name: 'bin', direct_asset_path: '/bin', link_type: 'package' }] },
      },
    });
    expect(unsupportedParts(project('gitlab', 'https://gitlab.test'), release)).toEqual([]);
    const github = makeCall(project('github', 'https://github.com'), release, 't');
    expect(github.url).toBe('https://api.github.com/repos/group/table/releases');
    expect(github.body).toEqual({
      tag_name: 'v1/x',
      target_commitish: release.ref,
      name: 'v1/x',
      body: 'Notes\n\n- [bin](https://x.test/bin)',
    });
    expect(unsupportedParts(project('github', 'https://github.com'), release)).toEqual([
      'tag_message',
      'milestones',
      'released_at',
    ]);
    const gitea = makeCall(project('gitea', 'https://gitea.test'), release, 't');
    expect(gitea.body).toMatchObject({ tag_message: 'tagged' });
    expect(findCall(project('gitea', 'https://gitea.test'), 'v1/x', 't').url).toBe(
      'https://gitea.test/api/v1/repos/group/table/releases/tags/v1%2Fx',
    );
    expect(findCall(project('gitlab', 'https://gitlab.test'), 'v1/x', 't').url).toContain('/releases/v1%2Fx');
  });

  test('responses of the forge: found, missing, refused, and unreachable', async () => {
    const answers = [404, 200, 422, 503];
    const server = createServer((_request, response) => {
      const status = answers.shift() ?? 500;
      const body =
        status === 200 ? { _links: { self: 'https://f.test/r' } } : { message: 'Tag is protected' };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const forge = forgeStatuses({
      projects: [
        {
          name: 'table',
          forge: 'gitlab',
          forge_url: `http://127.0.0.1:${port}`,
          forge_token: 'env:T',
          repository: 'group/table',
        },
      ],
      secrets: { resolve: async () => 'canary-token' },
    });
    try {
      expect(await forge.findRelease('table', 'v1')).toBe('none');
      expect(await forge.findRelease('table', 'v1')).toEqual({ url: 'https://f.test/r' });
      await expect(forge.makeRelease('table', release)).rejects.toMatchObject({
        code: 'forge/refused',
        message: expect.stringContaining('422: Tag is protected'),
      });
      await expect(forge.makeRelease('table', release)).rejects.toMatchObject({ code: 'forge/away' });
    } finally {
      server.close();
    }
    expect(await forge.findRelease('other', 'v1')).toBe('no-forge');
  });
});
