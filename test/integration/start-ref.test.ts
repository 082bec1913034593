/**
 * A real davit and a repository over http: a pipeline of a ref without a checkout, what has failed of it again, the whole
 * of it again, and its pages in a browser.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { eventually, ownDavit, type OwnDavit } from '../support/davit.ts';
import { gitForge, type GitForge } from '../support/git-forge.ts';

const FILE = `
default:
  image: $DAVIT_HELPER_IMAGE
first:
  stage: build
  script: ['echo "<b>$CI_PIPELINE_SOURCE $CI_COMMIT_REF_NAME level $LEVEL</b>"']
flaky:
  script: ['test "$LEVEL" = 2']
after:
  stage: deploy
  script: ['echo after']
of-a-push:
  stage: deploy
  script: ['echo never']
  rules: [{ if: '$CI_PIPELINE_SOURCE == "push"' }]
`;

let folder: string;
let forge: GitForge;
let davit: OwnDavit;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-start-ref-'));
  const work = join(folder, 'work');
  mkdirSync(work);
  writeFileSync(join(work, '.gitlab-ci.yml'), FILE);
  const git = (...args: string[]): void => {
    const done = spawnSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
      cwd: work,
      encoding: 'utf8',
    });
    if (done.status !== 0) throw new Error(`git ${args[0]}: ${done.stderr}`);
  };
  git('init', '-q', '-b', 'trunk');
  git('add', '-A');
  git('commit', '-q', '-m', 'First');
  git('branch', 'dev');
  git('clone', '-q', '--bare', work, join(folder, 'shop.git'));
  forge = await gitForge(folder, { username: 'oauth2', password: 'the-forge-token' });
  davit = await ownDavit({
    env: { FORGE_TOKEN: 'the-forge-token' },
    config: `projects:
  - name: shop
    clone_url: ${forge.url}/shop.git
    clone_token: env:FORGE_TOKEN
    default_branch: trunk
    protected_branches: [trunk]
    public: true
`,
  });
});
afterAll(async () => {
  await davit?.stop();
  await forge?.close();
  rmSync(folder, { recursive: true, force: true });
});
const outcomes = (status: PipelineStatus) =>
  Object.fromEntries(status.jobs.map((job) => [job.key, job.outcome]));
const page = (path: string, init?: RequestInit) =>
  fetch(`${davit.run.server}${path}`, { redirect: 'manual', ...init });

test('a pipeline of a ref runs without a checkout, and is retried as GitLab does', async () => {
  const started = await davit.cli(['start', 'shop', '--ref', 'dev', '--var', 'LEVEL=1']);
  expect(started.code, started.stderr).toBe(1);
  expect(started.stdout).toContain('<b>api dev level 1</b>');
  const first = await davit.api<PipelineStatus>('/api/v1/pipelines/shop/1');
  expect([first.ref, first.source, outcomes(first)]).toEqual([
    'dev',
    'api',
    { first: 'succeeded', flaky: 'failed', after: 'skipped' },
  ]);

  const retried = await davit.cli(['retry', 'shop/1']);
  expect([retried.code, retried.stdout]).toEqual([0, 'shop/1 continues with flaky.\n']);
  const second = await eventually('the second attempt', 120_000, async () => {
    const status = await davit.verdict('shop/1', 120_000);
    return status.jobs.some((job) => job.attempt === 2) ? status : undefined;
  });
  expect(second.jobs.map((job) => [job.key, job.attempt])).toEqual([
    ['first', 1],
    ['flaky', 2],
    ['after', 0],
  ]);

  const again = await davit.cli(['start', '--again', 'shop/1']);
  expect(again.stderr).toContain('Pipeline shop/2');
  expect(again.stdout).toContain('<b>api dev level 1</b>');
  const third = await davit.api<PipelineStatus>('/api/v1/pipelines/shop/2');
  expect([third.ref, third.sha, outcomes(third)]).toEqual(['dev', first.sha, outcomes(first)]);
});

test('without a ref it is the default branch, also a protected one for who may', async () => {
  const { code, stdout, stderr } = await davit.cli(['start', 'shop', '--var', 'LEVEL=2', '--detach']);
  expect([code, stdout], stderr).toEqual([0, `shop/3 was started: ${davit.run.server}/pipelines/shop/3\n`]);
  const status = await davit.verdict('shop/3', 120_000);
  expect([status.state, status.ref, status.protected]).toEqual(['success', 'trunk', true]);
  const none = await davit.cli(['start', 'shop', '--ref', 'none']);
  expect([none.code, none.stderr]).toEqual([
    2,
    expect.stringContaining('The repository of shop has no branch or tag none.'),
  ]);
});

test('its pages show jobs and logs, to everybody or after a login', async () => {
  const status = await davit.cli(['status', 'shop/3']);
  expect(status.stdout).toContain(`${davit.run.server}/pipelines/shop/3\n`);
  const open = await page('/pipelines/shop/3');
  expect([open.status, await open.text()]).toEqual([
    200,
    expect.stringContaining('href="/pipelines/shop/3/jobs/flaky"'),
  ]);
  const log = await page('/pipelines/shop/3/jobs/first');
  expect(await log.text()).toContain('&lt;b&gt;api trunk level 2&lt;/b&gt;');
  expect((await page('/pipelines/other/1')).status).toBe(401);

  const token = readFileSync(join(davit.home, 'keys', 'cli-token'), 'utf8').trim();
  const login = await page('/login', {
    method: 'POST',
    body: new URLSearchParams({ token, to: '/pipelines/other/1' }),
  });
  expect([login.status, login.headers.get('location')]).toEqual([303, '/pipelines/other/1']);
  const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  expect((await page('/pipelines/other/1', { headers: { cookie } })).status).toBe(404);
});
