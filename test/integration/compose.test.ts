/**
 * `docker compose up --build` as a user runs it: the project's own Dockerfile and docker-compose.yml,
 * unchanged, on an engine without any data of davit. Neither finished nor running pipelines are lost by
 * `restart`, `down` and `up`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Finished } from '../../src/local/process/exec.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { composeEnginePart, copyProject, dockerComposePart } from '../parts/compose.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ComposeEngine } from '../support/compose-engine.ts';
import { eventually, repositoryOf } from '../support/davit.ts';
import { ROOT } from '../support/source.ts';

const UP_MS = 600_000;
/** Not for this worker, or only with the token of an attempt. */
const REFUSED = /^(?:403|503)$/;
const RUN_MS = 300_000;
const OWN = [
  'server',
  'worker-control',
  'worker-arm32',
  'worker-arm64',
  'worker-amd64',
  'worker-deploy',
] as const;
/** A job that runs until it is stopped, and prints a line once a second. */
const WAITS = `
waits:
  image: $DAVIT_HELPER_IMAGE
  script:
    - n=0; until [ -e /go ]; do n=$((n+1)); echo "tick $n"; sleep 1; done
    - echo "the end after tick $n"
`;
const SHIPS = `
stages: [make, build, push]
make:
  stage: make
  image: $DAVIT_HELPER_IMAGE
  script: [echo made > made.txt]
  artifacts: { paths: [made.txt] }
build:
  stage: build
  needs: [make]
  build: { context: ., dockerfile: Dockerfile, platforms: [arm32, arm64, amd64], to: $CI_REGISTRY_IMAGE/thing }
push:
  stage: push
  push: { from: build, to: $CI_REGISTRY_IMAGE/thing, tags: ["1"], manifest: true }
`;

const service = z.object({ Service: z.string(), State: z.string(), Health: z.string() });
const summaries = z.array(z.object({ id: z.string(), state: z.string() }));

let engine: ComposeEngine;
let folder = '';
let project = '';
let composeProgram = '';
const repositories: string[] = [];

const compose = (...args: string[]): Promise<Finished> =>
  engine.run(composeProgram, args, { cwd: project, timeoutMs: UP_MS });

/** Rejects with its last output. */
async function good(running: Promise<Finished>): Promise<string> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(`ended with ${code}: ${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}`);
  return stdout;
}

async function up(...args: string[]): Promise<string> {
  try {
    return await good(compose('up', '--detach', '--wait', ...args));
  } catch (error) {
    const { stdout } = await compose('logs', '--tail', '8');
    throw new Error(`docker compose up failed:\n${stdout.slice(-8_000)}`, { cause: error });
  }
}

async function health(): Promise<Record<string, string>> {
  const lines = (await good(compose('ps', '--format', 'json'))).split('\n').filter((line) => line !== '');
  const services = lines.map((line) => service.parse(JSON.parse(line)));
  return Object.fromEntries(services.map((one) => [one.Service, one.Health]));
}

/** davit's own command line, as in docs/installation.md. */
function davit(args: string[], cwd = project): Promise<Finished> {
  const env = {
    DAVIT_SERVER: 'http://127.0.0.1:8420',
    DAVIT_TOKEN_FILE: join(project, 'compose', 'secrets', 'cli-token'),
    DAVIT_HOME: join(folder, 'home'),
    CI: 'true',
  };
  return engine.run(process.execPath, [join(ROOT, 'src', 'cli', 'main.ts'), ...args], {
    cwd,
    env,
    timeoutMs: RUN_MS,
  });
}

function repository(name: string, yaml: string): string {
  const from = mkdtempSync(join(folder, 'from-'));
  writeFileSync(join(from, '.gitlab-ci.yml'), yaml);
  writeFileSync(join(from, 'Dockerfile'), 'FROM scratch\nCOPY made.txt /\n');
  const path = repositoryOf(from, name);
  repositories.push(dirname(path));
  return path;
}

/** Refused without a token, which the registry demands. */
async function manifest(name: string, tag: string): Promise<string> {
  const curl = async (...args: string[]): Promise<string> => good(engine.run('curl', ['-sS', ...args]));
  const url = `http://127.0.0.1:5000/v2/${name}/manifests/${tag}`;
  expect(await curl('-o', '/dev/null', '-w', '%{http_code}', url)).toBe('401');
  const user = `me:${readFileSync(join(project, 'compose', 'secrets', 'cli-token'), 'utf8').trim()}`;
  const scope = `repository:${name}:pull`;
  const reply = await curl('-u', user, `http://127.0.0.1:8420/registry/token?scope=${scope}`);
  const { token } = z.object({ token: z.string() }).parse(JSON.parse(reply));
  const accept = 'Accept: application/vnd.oci.image.index.v1+json';
  return curl('-f', '-H', accept, '-H', `Authorization: Bearer ${token}`, url);
}

const running = (): Promise<string> =>
  engine.docker('ps', '-q', '--no-trunc', '--filter', 'label=davit.kind=job');

/** Starts the waiting job. Returns its container, and a promise of the ended pipeline. */
async function waiting(name: string): Promise<{ container: string; end(): Promise<PipelineStatus> }> {
  const run = good(davit(['run', '--json'], repository(name, WAITS)));
  const early = run.then((text) => {
    throw new Error(`it did not wait: ${text}`);
  });
  const container = await Promise.race([
    early,
    eventually('the container of the job', RUN_MS, async () => (await running()) || undefined),
  ]);
  early.catch(() => undefined); // it ends when it is stopped
  return {
    container,
    async end() {
      await engine.docker('exec', container, '/bin/sh', '-c', ': > /go');
      return JSON.parse(await run) as PipelineStatus;
    },
  };
}

/** One attempt, and a log in which each tick appears once and in order. */
async function expectWhole(status: PipelineStatus): Promise<void> {
  expect(status.state).toBe('success');
  expect(status.jobs.map((job) => [job.key, job.attempt])).toEqual([['waits', 1]]);
  const log = await good(davit(['logs', status.id, 'waits']));
  const ticks = [...log.matchAll(/^tick (\d+)$/gm)].map(([, n]) => Number(n));
  expect(ticks).toEqual(ticks.map((_, index) => index + 1));
  expect(log).toContain(`the end after tick ${ticks.length}`);
}

const parts = [dockerComposePart, composeEnginePart];
await describeWithParts(
  'docker compose',
  parts,
  ([program = '', images = '']) => {
    beforeAll(async () => {
      composeProgram = join(program, 'docker-compose');
      folder = mkdtempSync(join(tmpdir(), 'davit-compose-test-'));
      project = await copyProject(folder);
      engine = await ComposeEngine.start(join(images, 'data'), { network: false });
      mkdirSync(join(project, 'compose', 'ssh'));
      writeFileSync(join(project, 'compose', 'ssh', 'id_ed25519'), 'the key of a board', { mode: 0o600 });
      await good(engine.run('./compose/init.sh', [], { cwd: project }));
      await up('--build');
    }, UP_MS);

    afterAll(async () => {
      await engine.stop();
      for (const path of [folder, ...repositories]) rmSync(path, { recursive: true, force: true });
    });

    test('everything is healthy, and nothing was compiled or unpacked', async () => {
      const found = await health();
      expect(Object.values(found)).toEqual(Object.values(found).map(() => 'healthy'));
      expect(Object.keys(found)).toEqual(expect.arrayContaining([...OWN]));
      const files = await good(
        compose('exec', '-T', 'worker-control', 'find', '/tmp', '/var/cache/davit', '-type', 'f'),
      );
      expect(files.trim().split('\n')).toEqual(['/tmp/davit-ready']);
      const readOnly = await compose('exec', '-T', 'worker-control', 'touch', '/opt/davit/bundles/x');
      expect(readOnly.code).not.toBe(0);
    });

    test('a worker reads the ssh key of a board, which other users cannot read', async () => {
      const key = '/home/davit/.ssh/id_ed25519';
      expect(await good(compose('exec', '-T', 'worker-arm32', 'cat', key))).toBe('the key of a board');
      expect(statSync(join(project, 'compose', 'ssh', 'id_ed25519')).mode & 0o777).toBe(0o600);
    });

    test('the token of a worker opens nothing of a job, and the one that all shared is nowhere', async () => {
      const tokens = new Set<string>();
      for (const worker of OWN.filter((name) => name.startsWith('worker-') && name !== 'worker-control')) {
        const token = (await good(compose('exec', '-T', worker, 'cat', '/run/secrets/token'))).trim();
        tokens.add(token);
        const asked = async (path: string, body: string): Promise<string> =>
          good(
            engine.run('curl', [
              ...['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Authorization: Bearer ${token}`],
              ...['-H', 'Content-Type: application/json', '-d', body],
              `http://127.0.0.1:8420/internal/v1/${path}`,
            ]),
          );
        expect(await asked('records/list', '{"prefix":"masks","limit":10}'), worker).toMatch(REFUSED);
        expect(await asked('records/put', '{"name":"caches/beta/protected/a","value":{}}'), worker).toMatch(
          REFUSED,
        );
        const ref = { pipeline: 'beta/1', job: 'unit', jobId: 1, attempt: 1, epoch: 99 };
        expect(await asked('logs/open', JSON.stringify({ ref, epoch: 99 })), worker).toMatch(REFUSED);
      }
      expect(tokens.size).toBe(4);
      const secrets = await good(compose('exec', '-T', 'worker-arm64', 'ls', '/run/secrets'));
      expect(secrets.trim()).toBe('token');
    });

    test(
      'a pipeline is built for three architectures and pushed',
      async () => {
        const status = JSON.parse(
          await good(davit(['run', '--json'], repository('ships', SHIPS))),
        ) as PipelineStatus;
        expect(status.state).toBe('success');
        const index = await manifest('ships/thing', '1');
        expect(index.match(/"architecture"/g)).toHaveLength(3);
      },
      RUN_MS,
    );

    test(
      'a job survives a restart of everything',
      async () => {
        const job = await waiting('restarted');
        await good(compose('restart'));
        await up();
        expect(await running()).toBe(job.container);
        await expectWhole(await job.end());
      },
      UP_MS,
    );

    test(
      'a job survives down and up, and earlier data is kept',
      async () => {
        const before = summaries.parse(JSON.parse(await good(davit(['pipelines', '--json']))));
        const job = await waiting('away');
        await good(compose('down'));
        expect(await engine.docker('volume', 'ls', '-q')).not.toMatch(/^[0-9a-f]{64}$/m);
        expect(await running()).toBe(job.container);
        await up();
        await expectWhole(await job.end());
        const after = summaries.parse(JSON.parse(await good(davit(['pipelines', '--json']))));
        expect(after).toEqual(expect.arrayContaining(before));
        expect(before).toHaveLength(2);
      },
      UP_MS,
    );

    test(
      'a worker that never starts is unhealthy, and up names it',
      async () => {
        const broken = {
          environment: { TEMPORAL_ADDRESS: '127.0.0.1:1' },
          healthcheck: { start_period: '1s' },
        };
        writeFileSync(
          join(project, 'broken.yml'),
          JSON.stringify({ services: { 'worker-control': broken } }),
        );
        const done = await compose(
          '-f',
          'docker-compose.yml',
          '-f',
          'broken.yml',
          'up',
          '--detach',
          '--wait',
        );
        expect(done.code).not.toBe(0);
        expect(done.stderr).toMatch(/worker-control-1 is unhealthy/);
        expect((await health())['worker-control']).toBe('unhealthy');
        await up();
        expect((await health())['worker-control']).toBe('healthy');
      },
      UP_MS,
    );
  },
  { root: true },
);
