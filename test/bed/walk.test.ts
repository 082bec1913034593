/**
 * The walks of docs/installation.md from nothing to a fleet: their commands are read from the page, counted, and run one by
 * one on a bed.
 */
import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, test } from 'vitest';
import { basePackagesPart } from '../parts/bed.ts';
import { composeEnginePart, dockerComposePart } from '../parts/compose.ts';
import { findPart } from '../parts/part.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';
import { startBed, type Bed } from './support/bed.ts';
import { INSIDE } from './support/space.ts';
import { addPeople, commandsOf, expectThreeMachines, walk, WALK_MS } from './support/walk.ts';

const MACHINES = ['head', 'board64', 'board32'] as const;
const BOARDS = MACHINES.slice(1);

await describeWithParts('from nothing to a fleet', [sshServerPart, basePackagesPart], withDavitUp, {
  root: true,
});
await describeWithParts(
  'from nothing to a fleet with docker compose',
  [sshServerPart, basePackagesPart, dockerComposePart, composeEnginePart],
  withCompose,
  { root: true },
);

async function bareBed(data?: Readonly<Record<string, string>>): Promise<Bed> {
  const bed = await startBed({ machines: MACHINES, bare: true, ...(data && { data }) });
  await bed.lan.serve((await findPart(basePackagesPart)) ?? '');
  await addPeople(bed, BOARDS);
  return bed;
}

function withDavitUp(): void {
  const commands = commandsOf('## From nothing to a fleet');
  let bed: Bed;
  beforeAll(async () => {
    bed = await bareBed();
  });
  afterAll(() => bed?.stop());

  test(
    `${commands.length} commands lead to a pipeline on three machines`,
    async () => {
      await walk(bed, ROOT, commands);
      await expectThreeMachines(bed, ROOT);
    },
    WALK_MS,
  );
}

function withCompose([, , program = '', images = '']: readonly string[]): void {
  const commands = commandsOf('### The same with docker-compose.yml');
  const clone = `${INSIDE}/clone`;
  const asked = commands
    .at(-1)
    ?.match(/DAVIT_\S+/g)
    ?.join(' ')
    .replaceAll('../../', './');
  let bed: Bed;
  beforeAll(async () => {
    // The head's engine has the images of docker-compose.yml, which nothing in the bed could pull.
    bed = await bareBed({ head: join(images, 'data') });
    await clear(bed);
    const { folder } = bed.head.space;
    await promisify(execFile)('git', ['clone', '-q', ROOT, join(folder, 'clone')]);
    await symlink(join(ROOT, 'node_modules'), join(folder, 'clone', 'node_modules'));
    const plugins = `${INSIDE}/home/.docker/cli-plugins`;
    await bed.head.run('mkdir', '-p', plugins);
    await bed.head.run('ln', '-s', join(program, 'docker-compose'), plugins);
  });
  afterAll(async () => {
    if (!bed) return;
    await clear(bed);
    await bed.stop();
  });

  test(
    `${commands.length} commands lead to a pipeline on three machines`,
    async () => {
      await walk(bed, clone, commands);
      await expectThreeMachines(bed, clone, asked);
    },
    WALK_MS,
  );
}

/** Containers, volumes and networks of the head's engine, whose data is kept for other tests. */
async function clear({ head }: Bed): Promise<void> {
  await head.run('sh', '-c', 'docker ps -aq | xargs -r docker rm -f -v');
  await head.run('sh', '-c', 'docker volume ls -q | xargs -r docker volume rm -f');
  await head.run('docker', 'network', 'prune', '-f');
}
