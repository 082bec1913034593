/**
 * Example pipelines in plain GitLab YAML: examples/classic-docker, classic-deploy and side-by-side by `davit
 * run`, on a whole davit with registry, swarm and the engine's socket. The images of a hub are made from this
 * machine's own programs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HELPER_IMAGE } from '../../src/installation.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../src/plan/model/records.ts';
import { eventually, ownDavit, repositoryOf, type Finished, type OwnDavit } from '../support/davit.ts';
import { dockerClientImages } from '../support/docker-client.ts';
import { freePort } from '../support/port.ts';
import { ROOT } from '../support/source.ts';

const RUN_MS = 240_000;
const EXAMPLES = ['classic-docker', 'classic-deploy', 'side-by-side'] as const;
type Example = (typeof EXAMPLES)[number];

let davit: OwnDavit;
let folders: Record<Example, string>;
let tag = '';

beforeAll(async () => {
  const folder = (name: Example): string => repositoryOf(join(ROOT, 'examples', name));
  folders = {
    'classic-docker': folder('classic-docker'),
    'classic-deploy': folder('classic-deploy'),
    'side-by-side': folder('side-by-side'),
  };
  davit = await ownDavit({
    args: ['--swarm'],
    arches: ['amd64', 'arm32'],
    worker: `engine_socket: [${EXAMPLES.join(', ')}]\n`,
    // The engine's socket is for protected refs only.
    config:
      'limits: { release_delay: 1s, cancel_grace: 1s }\nprojects: [{ name: side-by-side, protected_refs: [main, feature] }]\n',
  });
  tag = `davit-test/docker-client-${davit.installation.slice(0, 8)}`;
  dockerClientImages(tag, ['amd64', 'arm32']);
}, RUN_MS);

afterAll(async () => {
  await davit.stop();
  for (const arch of ['amd64', 'arm32']) spawnSync('docker', ['image', 'rm', '--force', `${tag}:${arch}`]);
  for (const folder of Object.values(folders)) rmSync(dirname(folder), { recursive: true, force: true });
});

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' });
/** `davit run` in an example's folder. */
function run(example: Example, args: string[] = [], image = `${tag}:amd64`): Promise<Finished> {
  const values = [`DOCKER_IMAGE=${image}`, `BASE_IMAGE=${HELPER_IMAGE}`];
  return davit.cli(['run', ...values.flatMap((value) => ['--var', value]), ...args], {
    cwd: folders[example],
  });
}
const statusOf = (id: string): Promise<PipelineStatus> =>
  davit.api<PipelineStatus>(`/api/v1/pipelines/${id}`);
const outcomes = ({ jobs }: PipelineStatus): string[] =>
  jobs.map((job) => `${job.key} ${job.outcome ?? job.phase}`);
const logOf = async (id: string, job: string): Promise<string> => (await davit.cli(['logs', id, job])).stdout;

describe('classic-docker', () => {
  test(
    'tests, builds, passes the image as an artifact, tests its API, pushes, each on machines with a tag',
    async () => {
      // A hub's image has many architectures under one name; these have one each.
      const done = await run('classic-docker', [], `${tag}:$DAVIT_ARCH`);
      expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
      const status = await statusOf('classic-docker/1');
      expect(outcomes(status)).toEqual(
        [
          'unit',
          'build:arm32',
          'build:amd64',
          'apitest:arm32',
          'apitest:amd64',
          'push:arm32',
          'push:amd64',
        ].map((job) => `${job} succeeded`),
      );
      expect(status.jobs.map((job) => job.queue)).toEqual([
        'amd64',
        'arm32',
        'amd64',
        'arm32',
        'amd64',
        'arm32',
        'amd64',
      ]);
      expect(await logOf('classic-docker/1', 'apitest:arm32')).toMatch(
        /Loaded image: .*:1\.0\.0-arm32[\s\S]*3 passed/,
      );
      for (const arch of ['arm32', 'amd64']) {
        const accept =
          'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
        const { status } = await davit.registry(`classic-docker/manifests/1.0.0-${arch}`, { accept });
        expect(status).toBe(200);
      }
    },
    RUN_MS,
  );
});

describe('classic-deploy', () => {
  const stacks: string[] = [];
  afterAll(() => {
    for (const stack of stacks) spawnSync('docker', ['stack', 'rm', stack]);
  });

  test(
    'builds with a cache, scans in parallel, deploys to staging, and to production after a manual start',
    async () => {
      const staging = await freePort();
      const production = await freePort();
      stacks.push(`hello-staging-${staging}`, `hello-production-${production}`);
      const ports = ['--var', `STAGING_PORT=${staging}`, '--var', `PRODUCTION_PORT=${production}`];
      const done = await run('classic-deploy', ports);
      expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
      const status = await statusOf('classic-deploy/1');
      expect(outcomes(status)).toEqual([
        'build succeeded',
        'scan:image succeeded',
        'scan:files failed',
        'deploy:staging succeeded',
        'deploy:production manual',
      ]);
      expect(status).toMatchObject({ state: 'success', warnings: ['scan:files: failed, which is allowed'] });
      expect(status.jobs[2]?.result?.artifacts).toMatchObject({ files: 1 });
      expect(await answerOf(staging)).toBe('hello from staging\n');
      const played = await davit.cli(['play', 'classic-deploy/1', 'deploy:production']);
      expect(played, played.stderr).toMatchObject({ code: 0 });
      await eventually('production', 60_000, async () => {
        const now = (await statusOf('classic-deploy/1')).jobs[4];
        if (now?.outcome === 'failed') throw new Error(await logOf('classic-deploy/1', 'deploy:production'));
        return now?.outcome === 'succeeded' ? true : undefined;
      });
      expect(await answerOf(production)).toBe('hello from production\n');
      const { stdout } = await davit.cli(['environments', 'classic-deploy']);
      expect(stdout).toMatch(new RegExp(`production .*http://127.0.0.1:${production}`));
    },
    RUN_MS,
  );
});

const answerOf = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();

describe('side-by-side', () => {
  const sha = (): string => git('rev-parse', 'HEAD');
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
      cwd: folders['side-by-side'],
      encoding: 'utf8',
    }).trim();
  /** The pipelines of one `davit run` each, oldest first. */
  const latest = async (count: number): Promise<PipelineStatus[]> => {
    const list = await davit.api<PipelineSummary[]>(`/api/v1/pipelines?project=side-by-side&limit=${count}`);
    return Promise.all(list.toSorted((a, b) => a.number - b.number).map(({ id }) => statusOf(id)));
  };
  const given = (status: PipelineStatus | undefined): string | undefined =>
    status?.jobs.find((job) => job.key === 'review')?.given?.[0]?.pipeline;

  test(
    'two pipelines of one commit run concurrently without sharing a name; all objects are removed at the end',
    async () => {
      const since = String(Date.now() / 1_000);
      const done = await Promise.all([run('side-by-side'), run('side-by-side')]);
      for (const one of done) expect(one, one.stdout + one.stderr).toMatchObject({ code: 0 });
      const both = await latest(2);
      expect(both.map((one) => one.sha)).toEqual([sha(), sha()]);
      const [first, second] = both.map(({ startedAt, endedAt = 0 }) => ({ startedAt, endedAt }));
      expect(Math.max(first?.startedAt ?? 0, second?.startedAt ?? 0)).toBeLessThan(
        Math.min(first?.endedAt ?? 0, second?.endedAt ?? 0),
      );
      const made = namesMade(since, both);
      expect(made.unknown).toEqual([]);
      for (const kind of ['container', 'volume', 'network', 'image'] as const) {
        const [ones = [], others = []] = both.map(({ id }) => made.of(id, kind));
        expect(ones.length, kind).toBeGreaterThan(0);
        // The number of probes of a service depends on the machine, so it may differ.
        expect(others.length, kind).toBeGreaterThan(0);
        expect(
          ones.filter((name) => others.includes(name)),
          kind,
        ).toEqual([]);
      }
      expect(new Set(both.flatMap(({ jobs }) => jobs.map((job) => job.jobId))).size).toBe(12);
      const { stdout } = await davit.cli(['environments', 'side-by-side']);
      for (const { number } of both) expect(stdout).toMatch(new RegExp(`review/main-${number} +stopped`));
      expect(left(both)).toEqual([]);
    },
    RUN_MS,
  );

  test(
    'an old commit runs with its own file, and its stub gets data of the default branch',
    async () => {
      const old = sha();
      const [, main] = await latest(2);
      git('checkout', '-q', '-b', 'feature');
      writeFileSync(join(folders['side-by-side'], 'app', 'answers.sh'), 'echo "good evening"\n');
      writeFileSync(join(folders['side-by-side'], '.gitlab-ci.yml'), 'broken: {}\n');
      git('commit', '-q', '-a', '-m', 'Second');
      const done = await run('side-by-side', ['--ref', old]);
      expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
      const [status] = await latest(1);
      expect(status).toMatchObject({ sha: old, ref: 'feature', state: 'success' });
      expect(status?.jobs.map((job) => job.key)).not.toContain('answers');
      expect(given(status)).toBe(main?.id);
      expect(await logOf(status?.id ?? '', 'check:review')).toContain('stub says: good morning\n');
      expect(left(status ? [status] : [])).toEqual([]);
    },
    RUN_MS,
  );

  test(
    'a cancel or failure removes the environment too',
    async () => {
      const slow = ['--var', 'CHECK=sleep 300; true'];
      const running = run('side-by-side', ['--ref', 'main', ...slow]);
      const id = await eventually('the check', 60_000, async () => {
        const [newest] = await latest(1);
        const check = newest?.jobs.find((job) => job.key === 'check:review');
        return newest?.endedAt === undefined && check?.phase === 'running' ? newest?.id : undefined;
      });
      const cancelled = await davit.cli(['cancel', id]);
      expect(cancelled, cancelled.stderr).toMatchObject({ code: 0 });
      expect(await running).toMatchObject({ code: 1 });
      await eventually('the end of the environment', 60_000, async () => {
        const status = await statusOf(id);
        return left([status]).length === 0 ? true : undefined;
      });
      const failed = await run('side-by-side', ['--ref', 'main', '--var', 'CHECK=false']);
      expect(failed).toMatchObject({ code: 1 });
      expect(left(await latest(1))).toEqual([]);
      await eventually('both to be stopped', 30_000, async () => {
        const { stdout } = await davit.cli(['environments', 'side-by-side']);
        return /available|stopping/.test(stdout) ? undefined : true;
      });
    },
    RUN_MS,
  );
});

type Kind = 'container' | 'volume' | 'network' | 'image';
interface EngineEvent {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

/**
 * The objects that the engine has created since then, by their pipeline: davit's own objects by the label of
 * their container, a script's by its number. The network of all ordinary jobs belongs to the installation,
 * and isolates its members.
 */
function namesMade(
  since: string,
  pipelines: readonly PipelineStatus[],
): { unknown: string[]; of(id: string, kind: Kind): string[] } {
  const until = String(Date.now() / 1_000 + 1);
  const events = docker('events', '--since', since, '--until', until, '--format', '{{json .}}')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EngineEvent)
    .filter(({ Action, Type }) => Action === 'create' || (Type === 'image' && Action === 'tag'));
  const own = davit.installation.replaceAll('-', '').slice(0, 8);
  const named = events
    .map(({ Type, Actor }) => ({
      kind: Type as Kind,
      name: Actor.Attributes.name ?? Actor.ID,
      labels: Actor.Attributes,
    }))
    .filter(({ name }) => /(^|[/-])side-by-side[:-]/.test(name) || name.startsWith(`davit-${own}`))
    .filter(({ name }) => name !== `davit-${own}-shared-jobs`);
  const jobs = named.flatMap(({ name, labels }) =>
    labels['davit.job.pipeline'] === undefined ? [] : [{ name, id: labels['davit.job.pipeline'] }],
  );
  const ownersOf = (name: string): string[] =>
    pipelines
      .filter(
        ({ id, number }) =>
          jobs.some((job) => job.id === id && (name === job.name || name.startsWith(`${job.name}-`))) ||
          new RegExp(`side-by-side[:-]${number}(-|$)`).test(name),
      )
      .map(({ id }) => id);
  const owned = named.map(({ kind, name }) => ({ kind, name, owners: ownersOf(name) }));
  return {
    unknown: owned.filter(({ owners }) => owners.length !== 1).map(({ kind, name }) => `${kind} ${name}`),
    of: (id, kind) => [
      ...new Set(owned.filter((one) => one.kind === kind && one.owners[0] === id).map(({ name }) => name)),
    ],
  };
}

/** The engine's objects with names of these pipelines. */
function left(pipelines: readonly PipelineStatus[]): string[] {
  const all = [
    docker('ps', '--all', '--format', '{{.Names}}'),
    docker('network', 'ls', '--format', '{{.Name}}'),
    docker('volume', 'ls', '--format', '{{.Name}}'),
    docker('images', '--format', '{{.Repository}}:{{.Tag}}'),
  ].flatMap((text) => text.split('\n'));
  return all.filter((name) =>
    pipelines.some(({ number }) => new RegExp(`side-by-side[:-]${number}(-|$)`).test(name)),
  );
}
