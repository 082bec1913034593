/** What git says about tokens, in words that name the setting; and where a token never goes. */
import { readdir, readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgeStatuses } from '../../../../src/adapters/forge/index.ts';
import { cloneOptions } from '../../../../src/adapters/git/clone-protocols.ts';
import { throwIfFatal } from '../../../../src/adapters/git/git-errors.ts';
import { openWorkspace } from '../../../../src/adapters/git/git-workspace.ts';
import { uploadPack } from '../../../../src/adapters/git/upload-pack.ts';
import { checkUrl } from '../../../../src/adapters/git/validate.ts';
import { mayCarryToken } from '../../../../src/adapters/text.ts';

let temp: string;
beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'davit-tokens-'));
});
afterAll(() => rm(temp, { recursive: true, force: true }));

/** As git 2.39 writes them where nobody answers its questions. */
const SAID = {
  wrongToken:
    "error: unable to read askpass response from '/bin/false'\nfatal: could not read Username for 'https://forge.test': terminal prompts disabled\n",
  forbidden:
    "fatal: unable to access 'https://forge.test/group/table.git/': The requested URL returned error: 403\n",
  hidden: "remote: Not Found\nfatal: repository 'https://forge.test/group/table.git/' not found\n",
  moved:
    "fatal: unable to access 'https://forge.test/old/table.git/': The requested URL returned error: 301\n",
  away: "fatal: unable to access 'https://forge.test/': Failed to connect to forge.test port 443\n",
};
function failure(stderr: string, authorized: boolean): unknown {
  try {
    return throwIfFatal({ stderr, authorized });
  } catch (error) {
    return error;
  }
}

test('a refused token is named as such, and a missing one as missing', () => {
  const wrong = failure(SAID.wrongToken, true);
  expect(wrong).toMatchObject({ code: 'git/denied' });
  expect(String(wrong)).toContain('refused the token');
  expect(String(wrong)).not.toMatch(/askpass|Username/);
  expect(String(failure(SAID.wrongToken, false))).toContain('asked without one');
  for (const said of [SAID.forbidden, SAID.hidden])
    expect(failure(said, true)).toMatchObject({
      code: 'git/denied',
      hint: expect.stringContaining('clone_token'),
    });
});

test('an address that redirects is no outage: it is not asked again, and the hint names clone_url', () => {
  expect(failure(SAID.moved, true)).toMatchObject({
    code: 'git/moved',
    hint: expect.stringContaining('clone_url'),
  });
  expect(failure(SAID.away, true)).toMatchObject({ code: 'git/unreachable' });
});

test.each([
  ['https://forge.test/x.git', true],
  ['ssh://git@forge.test/x.git', true],
  ['http://127.0.0.1:3000/x.git', true],
  ['http://localhost/x.git', true],
  ['http://[::1]:3000/x.git', true],
  ['http://127.evil.com/x.git', false],
  ['http://localhost.evil.com/x.git', false],
  ['http://gitea.lan:3000/x.git', false],
  ['HTTP://gitea.lan:3000/x.git', false],
])('a token for %s: %s', async (url, may) => {
  expect(mayCarryToken(url)).toBe(may);
  const { plainOrigins } = cloneOptions([{ clone_url: url, allow_http: true }]);
  expect(mayCarryToken(url, plainOrigins)).toBe(true);
});

const LAN = 'http://gitea.lan:3000/acme/table.git';
const auth = { username: 'oauth2', password: 'canary' };

test('git gets a token for plain http only where the operator allows it', async () => {
  const url = checkUrl(LAN, ['http']);
  const refused = openWorkspace({ temp, protocols: ['http'] }, url, { auth });
  await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('allow_http') });
  expect(await readdir(temp)).toEqual([]);
  const options = cloneOptions([{ clone_url: LAN, allow_http: true }]);
  const place = await openWorkspace({ temp, ...options }, url, { auth });
  expect(await readFile(join(place.root, 'gitconfig'), 'utf8')).toContain('http://gitea.lan:3000/');
  // Another server of that network is another matter.
  const other = checkUrl('http://other.lan/acme/table.git', ['http']);
  await expect(openWorkspace({ temp, ...options }, other, { auth })).rejects.toThrow('plain http');
});

test('nor does the clone of a job, or forge_token', async () => {
  const pack = uploadPack();
  const asked = { url: LAN, auth, caFile: undefined, protocol: undefined, encoding: undefined };
  await expect(pack.refs(asked)).rejects.toThrow('plain http');
  await pack.close();
  const resolved: string[] = [];
  const forge = (allow_http: boolean) =>
    forgeStatuses({
      projects: [
        {
          name: 'table',
          forge: 'gitea',
          // Nobody listens at port 1.
          forge_url: allow_http ? 'http://127.0.0.1:1' : 'http://127.evil.com',
          forge_token: 'env:T',
          repository: 'acme/table',
          allow_http,
        },
      ],
      secrets: { resolve: async (ref) => `${resolved.push(ref)}` },
    });
  await expect(forge(false).findRelease('table', 'v1')).rejects.toMatchObject({
    code: 'forge/refused',
    hint: expect.stringContaining('allow_http'),
  });
  expect(resolved).toEqual([]);
  await expect(forge(true).findRelease('table', 'v1')).rejects.toMatchObject({ code: 'forge/away' });
});
