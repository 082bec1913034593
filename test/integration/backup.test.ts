/** `davit backup` of a davit that runs, and `davit restore` after deployments that the backup does not know. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HELPER_IMAGE } from '../../src/installation.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { davitAt, eventually, repositoryOf, sweep, type DavitAt, type Finished } from '../support/davit.ts';

const RUN_MS = 300_000;
const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const SERVICE = `davit-test-backup-${process.pid}`;
const TICKS = 15;
const SHOP = `stages: [build, push, out]
keep: { stage: build, image: $DAVIT_HELPER_IMAGE, script: [echo kept | tee kept.txt], artifacts: { paths: [kept.txt] } }
img: { stage: build, build: { context: ., platforms: [${ARCH}], to: $CI_REGISTRY_IMAGE, args: { TEXT: $TEXT } } }
ship: { stage: push, push: { from: [img], to: $CI_REGISTRY_IMAGE, tags: [live] } }
out:
  stage: out
  tags: [local-swarm]
  environment: { name: live }
  gate: {}
  deploy: { swarm: { service: ${SERVICE}, image_from: ship, endpoint_mode: dnsrr } }
`;

let root = '';
let davit: DavitAt;
let shop = '';
let count = '';
const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' });
const deployed = (): string =>
  docker('service', 'inspect', '--format', '{{index .Spec.Labels "davit.deploy.id"}}', SERVICE).trim();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'davit-backup-'));
  davit = davitAt(join(root, 'home'));
  shop = project('shop', SHOP);
  count = project(
    'count',
    `count: { image: $DAVIT_HELPER_IMAGE, script: ['for i in $(seq ${TICKS}); do echo "tick $i"; sleep 1; done'] }\n`,
  );
});
afterAll(async () => {
  spawnSync('docker', ['service', 'rm', SERVICE]);
  await davit.cli(['down']);
  sweep(davit.home);
  rmSync(root, { recursive: true, force: true });
  for (const folder of [shop, count]) rmSync(dirname(folder), { recursive: true, force: true });
});

function project(name: string, file: string): string {
  const source = join(root, 'source', name);
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, '.gitlab-ci.yml'), file);
  writeFileSync(
    join(source, 'Dockerfile'),
    `FROM ${HELPER_IMAGE}\nARG TEXT\nENV TEXT=$TEXT\nCMD ["sleep", "3600"]\n`,
  );
  return repositoryOf(source, name);
}

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await davit.cli(args);
  if (code !== 0) throw new Error(`davit ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
}
const status = async (id: string): Promise<PipelineStatus> =>
  JSON.parse(await done('status', id, '--json')) as PipelineStatus;
const newest = async (): Promise<string> =>
  (JSON.parse(await done('pipelines', '--json')) as { id: string }[])[0]?.id ?? '';

/** Starts a pipeline and resolves with its id; `ended` when the command that follows it has ended. */
async function start(folder: string, text: string): Promise<{ id: string; ended: Promise<Finished> }> {
  const before = await newest();
  const ended = davit.cli(['run', '--var', `TEXT=${text}`], { cwd: folder });
  const id = await eventually('a pipeline', RUN_MS, async () => {
    const now = await newest();
    return now === before ? undefined : now;
  });
  return { id, ended };
}
const gated = (id: string): Promise<true> =>
  eventually(`the gate of ${id}`, RUN_MS, async () => {
    const { jobs, state } = await status(id);
    if (state === 'failed') throw new Error(JSON.stringify(jobs));
    return jobs.some(({ phase }) => phase === 'gate') ? (true as const) : undefined;
  });
/** Deploys by a pipeline of its own; resolves with its id. */
async function deploy(text: string): Promise<string> {
  const { id, ended } = await start(shop, text);
  await gated(id);
  await done('approve', id, 'out');
  expect(await ended).toMatchObject({ code: 0 });
  return id;
}

test(
  'a backup of a running davit brings back all that it had; what was deployed since is not undone, and the next deployment counts',
  async () => {
    await done('up', '--detach', '--swarm');
    const first = await deploy('first');
    const waiting = await start(shop, 'waiting');
    await gated(waiting.id);
    const running = await start(count, 'none');
    await eventually('the job runs', RUN_MS, async () =>
      (await davit.cli(['logs', running.id, 'count'])).stdout.includes('tick 2') ? true : undefined,
    );

    const saved = JSON.parse(await done('backup', join(root, 'backup.tgz'), '--json')) as {
      seconds: number;
      bytes: number;
      temporal: boolean;
      damaged: string[];
    };
    expect(saved).toMatchObject({ temporal: true, images: true, damaged: [], epoch: 0 });
    expect(statSync(join(root, 'backup.tgz')).mode & 0o777).toBe(0o600);
    // It disturbed nothing.
    expect(await running.ended).toMatchObject({ code: 0 });

    const unknown = await deploy('unknown to the backup');
    expect(deployed()).toBe(`${unknown}/out/1`);
    await done('down');
    renameSync(davit.home, join(root, 'lost'));

    const restored = JSON.parse(await done('restore', join(root, 'backup.tgz'), '--json')) as {
      seconds: number;
    };
    const keys = join(davit.home, 'keys');
    for (const name of readdirSync(keys)) expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600);
    expect(await davit.cli(['restore', join(root, 'backup.tgz')])).toMatchObject({ code: 3 });
    const before = performance.now();
    await done('up', '--detach', '--swarm');
    const upSeconds = Math.round((performance.now() - before) / 100) / 10;
    process.stdout.write(
      `backup ${saved.seconds} s (${saved.bytes} bytes), restore ${restored.seconds} s, start ${upSeconds} s\n`,
    );

    const kept = await status(first);
    expect(kept.state).toBe('success');
    expect((await davit.cli(['logs', first, 'keep'])).stdout).toContain('kept');
    expect((await davit.cli(['status', unknown])).code).not.toBe(0);
    // A pipeline that was open is still open; its target has something newer, which stays.
    await gated(waiting.id);
    await done('approve', waiting.id, 'out');
    const refused = await eventually('the end of the older deployment', RUN_MS, async () => {
      const { jobs } = await status(waiting.id);
      return jobs.find(({ key, outcome }) => key === 'out' && outcome !== undefined);
    });
    expect(refused.outcome).toBe('skipped');
    // The command that followed it has waited for its server, and follows on.
    await waiting.ended;
    expect((await davit.cli(['logs', waiting.id, 'out'])).stdout).toContain('has a newer deployment');
    expect(deployed()).toBe(`${unknown}/out/1`);
    // A new number is above all that were given, so the target accepts it.
    const next = await deploy('next');
    expect(Number(next.split('/')[1])).toBeGreaterThan(1_000);
    expect(deployed()).toBe(`${next}/out/1`);
  },
  2 * RUN_MS,
);
