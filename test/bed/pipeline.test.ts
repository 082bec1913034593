/** The example pipeline on three machines, over ssh and over TLS. What one machine makes, the others use. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { basePackagesPart } from '../parts/bed.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';
import { BOARDS, failures, startFleet, type Fleet } from './support/fleet.ts';
import { projectOf } from './support/jobs.ts';
import { REGISTRY } from './support/installation.ts';

const MACHINES = Object.keys(BOARDS);
const FILE = '.gitlab-ci.yml';

await describeWithParts('a pipeline on three machines', [sshServerPart, basePackagesPart], suite, {
  root: true,
});

function suite(): void {
  let fleet: Fleet;
  let table = '';

  beforeAll(async () => {
    fleet = await startFleet({ swarm: true, tls: true });
    await fleet.bed.head.run('docker', 'network', 'create', '--driver', 'overlay', 'fleet');
    await fleet.makeBase();
    table = await fleet.davit.project(join(ROOT, 'examples', 'table'), async (folder) => {
      const file = join(folder, FILE);
      // One task on each machine: they publish the same port.
      await writeFile(file, (await readFile(file, 'utf8')).replace('replicas: 1', 'replicas: 3'));
    });
  });
  afterAll(() => fleet?.stop());

  const run = (version: string): Promise<PipelineStatus> =>
    fleet.davit.pipeline(table, ['--var', 'TABLE_NETWORK=fleet', '--var', `VERSION=${version}`]);

  /** The versions that the deployed service has on each machine, and the architecture of its image. */
  const versions = (): Promise<string[]> =>
    Promise.all(
      fleet.bed.machines.map((machine) =>
        machine.run(
          process.execPath,
          '-e',
          `fetch('http://127.0.0.1:8090/version').then((reply) => reply.text()).then((text) => process.stdout.write(text.trim()))`,
        ),
      ),
    );

  test('tests, builds for three architectures, tests the images, pushes and deploys, over ssh', async () => {
    const done = await run('1.0.0');
    expect(failures(done)).toEqual([]);
    expect(done.jobs.map(({ key }) => key)).toEqual(expect.arrayContaining(['apitest: [arm32]', 'deploy']));
    // Each architecture was built, and tested, by the engine of one machine.
    const hosts = new Map(done.jobs.map(({ key, result }) => [key, result?.host]));
    for (const arch of Object.values(BOARDS))
      expect(hosts.get(`apitest: [${arch}]`)).toBe(hosts.get(`build: [${arch}]`));
    expect(new Set(Object.values(BOARDS).map((arch) => hosts.get(`build: [${arch}]`))).size).toBe(3);
    expect(await versions()).toEqual(MACHINES.map(() => expect.stringContaining('1.0.0')));
  });

  test('carries files, images and logs from machine to machine', async () => {
    const job = (name: string, arch: string, needs: string[], script: string[]): string =>
      `${name}:\n  stage: test\n  arch: ${arch}\n  image: ${REGISTRY}/base:1\n  needs: ${JSON.stringify(needs)}\n` +
      `  script: ${JSON.stringify(script)}\n  artifacts: { paths: [relay.txt] }\n`;
    const relay = await projectOf(
      fleet.davit,
      'relay',
      job('first', 'arm32', [], ['uname -m | tee relay.txt']) +
        job('second', 'arm64', ['first'], ['uname -m | tee -a relay.txt']) +
        job('third', 'amd64', ['second'], ['uname -m | tee -a relay.txt', 'cat relay.txt']),
    );
    const done = await fleet.davit.pipeline(relay);
    expect(failures(done)).toEqual([]);
    expect(await fleet.davit.log(done.id, 'third')).toContain('armv7l\naarch64\nx86_64\n');
    expect(new Set(done.jobs.map(({ result }) => result?.host)).size).toBe(3);
  });

  test('the same over TLS, with certificates of davit ca on both sides', async () => {
    for (const name of ['board64', 'board32'] as const) {
      await fleet.worker(name).stop();
      await fleet.startTlsWorker(name);
      // Nothing goes over ssh any more.
      await fleet.bed.machine(name).stopSsh();
    }
    const done = await run('2.0.0');
    expect(failures(done)).toEqual([]);
    expect(await versions()).toEqual(MACHINES.map(() => expect.stringContaining('2.0.0')));
  });
}
