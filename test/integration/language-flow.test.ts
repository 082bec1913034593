/** Keywords about the flow of jobs, run for real: `davit up` of its own, one pipeline file, containers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { EnvironmentState } from '../../src/plan/model/environments.ts';
import { eventually, ownDavit, repositoryOf, type OwnDavit } from '../support/davit.ts';

const RUN_MS = 240_000;
let davit: OwnDavit;
const folders: string[] = [];

beforeAll(async () => {
  davit = await ownDavit();
}, RUN_MS);
afterAll(async () => {
  await davit.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}, RUN_MS);

async function runFile(name: string, text: string): Promise<PipelineStatus> {
  const source = mkdtempSync(join(tmpdir(), 'davit-flow-'));
  writeFileSync(join(source, '.gitlab-ci.yml'), text);
  const folder = repositoryOf(source, name);
  folders.push(source, dirname(folder));
  const id = await davit.start(name, folder);
  return davit.verdict(id, RUN_MS);
}
const outcomes = (status: PipelineStatus): Record<string, string | undefined> =>
  Object.fromEntries(status.jobs.map((job) => [job.key, job.outcome]));

test(
  'parallel jobs know their index and values, and a job that needs some gets the artifacts of exactly those',
  async () => {
    const status = await runFile(
      'flow-parallel',
      `
default: { image: $DAVIT_HELPER_IMAGE }
split:
  stage: build
  parallel: 2
  script:
    - test "$CI_NODE_TOTAL" = 2
    - echo "$CI_JOB_NAME" > "split-$CI_NODE_INDEX"
  artifacts: { paths: ["split-$CI_NODE_INDEX"] }
make:
  stage: build
  parallel: { matrix: [{ KIND: [red, blue], SIZE: ["1"] }] }
  script: [echo "$KIND $SIZE $CI_NODE_INDEX/$CI_NODE_TOTAL" > "made-$KIND"]
  artifacts: { paths: ["made-$KIND"] }
all:
  stage: test
  needs: [split, make]
  script:
    - test "$(cat split-1 split-2)" = "$(printf 'split 1/2\\nsplit 2/2')"
    - test "$(cat made-red made-blue)" = "$(printf 'red 1 1/2\\nblue 1 2/2')"
one:
  stage: test
  needs: [{ job: make, parallel: { matrix: [{ KIND: blue, SIZE: "1" }] } }]
  script: ["test -f made-blue", "test ! -e made-red", "test ! -e split-1"]
group:
  stage: test
  dependencies: [make]
  script: ["test -f made-blue", "test -f made-red", "test ! -e split-1"]
`,
    );
    expect(outcomes(status)).toEqual({
      'split 1/2': 'succeeded',
      'split 2/2': 'succeeded',
      'make: [red, 1]': 'succeeded',
      'make: [blue, 1]': 'succeeded',
      all: 'succeeded',
      one: 'succeeded',
      group: 'succeeded',
    });
  },
  RUN_MS,
);

test(
  "an environment has the url from its job's dotenv report, and its stop job runs in the ended pipeline",
  async () => {
    const status = await runFile(
      'flow-environment',
      `
default: { image: $DAVIT_HELPER_IMAGE }
stages: [deploy]
deploy:
  stage: deploy
  script: ['test "$CI_ENVIRONMENT_TIER" = development', 'echo "HOST=h$CI_PIPELINE_IID.example.com" > deploy.env']
  artifacts: { reports: { dotenv: deploy.env } }
  environment: { name: review/one, url: "https://$HOST/table", on_stop: stop, auto_stop_in: 1 day }
stop:
  stage: deploy
  when: manual
  script: ['test "$CI_ENVIRONMENT_NAME" = review/one', 'test "$CI_ENVIRONMENT_ACTION" = stop']
  environment: { name: review/one, action: stop }
`,
    );
    expect(status.state).toBe('success');
    const listed = async (): Promise<EnvironmentState | undefined> => {
      const { stdout } = await davit.cli(['environments', 'flow-environment', '--json']);
      const list: EnvironmentState[] = JSON.parse(stdout);
      return list[0];
    };
    expect(await eventually('it is there', 10_000, listed)).toMatchObject({
      name: 'review/one',
      state: 'available',
      url: 'https://h1.example.com/table',
      tier: 'development',
      onStop: 'stop',
    });
    const table = await davit.cli(['environments', 'flow-environment']);
    expect(table.stdout).toContain('by stop');
    const stopped = await davit.cli(['environments', 'flow-environment', '--stop', 'review/one']);
    expect(stopped.stdout).toContain('is being stopped');
    const after = await eventually('it is stopped', 60_000, async () => {
      const one = await listed();
      return one?.state === 'stopped' ? one : undefined;
    });
    expect(after).not.toHaveProperty('stopAt');
    const ended = await davit.verdict(status.id, RUN_MS);
    expect(outcomes(ended)).toEqual({ deploy: 'succeeded', stop: 'succeeded' });
    const unknown = await davit.cli(['environments', 'flow-environment', '--stop', 'nothing']);
    expect(unknown.code).toBe(2);
  },
  RUN_MS,
);

test(
  'pages: the server serves what a job made to users with a token, and a preview beside it',
  async () => {
    const status = await runFile(
      'flow-pages',
      `
default: { image: $DAVIT_HELPER_IMAGE }
pages:
  script:
    - mkdir -p public/css
    - echo "<h1>$CI_PAGES_URL</h1>" > public/index.html
    - echo "a{}" > public/css/main.css
    - ln -s ../../secret public/css/out.css
    - echo s > secret
preview:
  script: [mkdir out, 'echo "$CI_PAGES_URL" > out/index.html']
  pages: { publish: out, path_prefix: "mr-$CI_PIPELINE_IID", expire_in: 1 hour }
`,
    );
    expect(outcomes(status)).toEqual({ pages: 'succeeded', preview: 'succeeded' });
    const { server } = davit.run;
    const base = `${server}/pages/flow-pages`;
    expect(status.jobs.map((job) => job.result?.pages?.url)).toEqual([`${base}/`, `${base}/mr-1/`]);
    expect(status.jobs[0]?.result?.warnings?.join()).toContain('1 symbolic link');
    expect((await fetch(`${base}/`)).status).toBe(401);
    const token = readFileSync(join(davit.home, 'keys', 'cli-token'), 'utf8').trim();
    const seen = async (path: string) => {
      const answer = await fetch(`${base}/${path}`, { headers: { authorization: `Bearer ${token}` } });
      return [answer.status, answer.headers.get('content-type'), (await answer.text()).trim()];
    };
    expect(await seen('')).toEqual([200, 'text/html; charset=utf-8', `<h1>${base}</h1>`]);
    expect(await seen('css/main.css')).toEqual([200, 'text/css; charset=utf-8', 'a{}']);
    expect(await seen('mr-1/')).toEqual([200, 'text/html; charset=utf-8', `${base}/mr-1`]);
    expect((await seen('css/out.css'))[0]).toBe(404);
    expect((await seen('secret'))[0]).toBe(404);
  },
  RUN_MS,
);
