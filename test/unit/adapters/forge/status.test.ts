/** What each forge is told about a commit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgeStatuses } from '../../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';
import { stateAt, statusCall } from '../../../../src/adapters/forge/status.ts';
import type { ForgeStatus } from '../../../../src/adapters/ports.ts';
import type { PipelineState } from '../../../../src/plan/model/protocol.ts';
import { StatusForge } from '../../../support/status-forge.ts';

const status: ForgeStatus = {
  project: 'table',
  sha: 'a'.repeat(40),
  ref: 'main',
  pipeline: 'table/7',
  context: 'davit/mr',
  state: 'failed',
  url: 'http://davit.test/pipelines/table/7',
};
const project = (kind: ForgeKind, url: string) => ({ name: 'table', kind, url, repository: 'group/table' });
const call = (kind: ForgeKind, url: string, more: Partial<ForgeStatus> = {}) => {
  const all = { ...status, ...more };
  return statusCall(project(kind, url), { status: all, state: stateAt(kind, all) ?? '' }, 't');
};

test('each forge gets the request that it documents', () => {
  const gitlab = call('gitlab', 'https://gitlab.test/');
  expect(gitlab.url).toBe(`https://gitlab.test/api/v4/projects/group%2Ftable/statuses/${status.sha}`);
  expect(gitlab.headers).toEqual({ 'private-token': 't' });
  expect(gitlab.body).toMatchObject({
    state: 'failed',
    name: 'davit/mr',
    ref: 'main',
    target_url: status.url,
  });
  const github = call('github', 'https://github.com');
  expect(github.url).toBe(`https://api.github.com/repos/group/table/statuses/${status.sha}`);
  expect(github.body).toMatchObject({ state: 'failure', context: 'davit/mr' });
  expect(call('github', 'https://git.corp.test').url).toContain(
    'https://git.corp.test/api/v3/repos/group/table',
  );
  const gitea = call('gitea', 'https://gitea.test');
  expect(gitea.url).toContain('https://gitea.test/api/v1/repos/group/table/statuses/');
  expect(gitea.headers).toEqual({ authorization: 'token t' });
});

describe('states', () => {
  const states = (kind: ForgeKind, more: Partial<ForgeStatus> = {}) =>
    (
      [
        'created',
        'running',
        'waiting_for_resource',
        'manual',
        'scheduled',
        'success',
        'failed',
        'canceled',
        'skipped',
        'config_error',
      ] as const satisfies readonly PipelineState[]
    ).map((state) => stateAt(kind, { ...status, ...more, state }));

  test('as each forge has them', () => {
    expect(states('gitlab')).toEqual([
      ...['pending', 'running', 'pending', 'pending', 'pending'],
      ...['success', 'failed', 'canceled', undefined, 'failed'],
    ]);
    for (const kind of ['gitea', 'github'] as const)
      expect(states(kind)).toEqual([
        ...[undefined, 'pending', 'pending', 'pending', 'pending'],
        ...['success', 'failure', 'error', undefined, 'failure'],
      ]);
  });
  test('what could not be read is an error, and not a failure of the file', () => {
    expect(stateAt('gitea', { ...status, state: 'config_error', cause: 'source' })).toBe('error');
    const body = call('gitea', 'https://g.test', { state: 'config_error', cause: 'source' }).body;
    expect(body?.description).toBe('davit table/7 the source could not be read');
  });
  test('a pipeline that said that it runs, and had nothing to run, never passes a required check', () => {
    expect(stateAt('gitlab', { ...status, state: 'skipped', told: 'pending' })).toBe('skipped');
    expect(stateAt('gitlab', { ...status, state: 'skipped', told: 'running' })).toBe('canceled');
    expect(stateAt('github', { ...status, state: 'skipped', told: 'pending' })).toBe('error');
    expect(stateAt('gitea', { ...status, state: 'skipped', told: 'pending' })).toBe('error');
    expect(stateAt('gitea', { ...status, state: 'skipped', told: 'success' })).toBeUndefined();
  });
  test('the text says what is waited for', () => {
    const text = (state: PipelineState) => call('gitea', 'https://g.test', { state }).body?.description;
    expect(text('manual')).toBe('davit table/7 waits for a person');
    expect(text('waiting_for_resource')).toBe('davit table/7 waits for a lock');
    expect(text('scheduled')).toBe('davit table/7 waits for a time');
  });
});

describe('answers', () => {
  let forge: StatusForge;
  beforeAll(async () => {
    forge = await new StatusForge('gitlab').start();
  });
  afterAll(() => forge.stop());
  const told = (more: Partial<ForgeStatus> = {}) =>
    forgeStatuses({
      projects: [
        {
          name: 'table',
          forge: 'gitlab',
          forge_url: forge.url,
          forge_token: 'env:T',
          repository: 'group/table',
        },
      ],
      secrets: { resolve: async () => 'canary-token' },
    }).commitStatus({ ...status, ...more });

  test('GitLab refuses a state that it has already, which is no failure', async () => {
    expect(await told({ state: 'running' })).toBe('running');
    expect(await told({ state: 'running' })).toBe('running');
    expect(await told({ state: 'manual' })).toBe('pending');
    expect(await told({ state: 'success' })).toBe('success');
    expect(forge.taken.map((one) => one.state)).toEqual(['running', 'success']);
  });
  test.each([
    [401, 'forge/denied'],
    [403, 'forge/denied'],
    [404, 'forge/denied'],
    [301, 'forge/denied'],
    [400, 'forge/refused'],
    [422, 'forge/refused'],
    [409, 'forge/away'],
    [429, 'forge/away'],
    [503, 'forge/away'],
  ])('%i is %s, with the reason of the forge and without the token', async (code, expected) => {
    forge.status = code;
    const error: unknown = await told().then(undefined, (caught: unknown) => caught);
    forge.status = 201;
    expect(error).toMatchObject({ code: expected });
    expect(String(error)).toContain(String(code));
    expect(JSON.stringify(error) + String(error)).not.toContain('canary-token');
  });
  test('a forge that does not answer is away', async () => {
    await forge.stop();
    await expect(told()).rejects.toMatchObject({ code: 'forge/away' });
    await forge.start();
  });
});
