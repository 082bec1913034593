import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OwnEngine } from '../engine.ts';
import { empty, fill, fillerOf, keepFull } from '../fill.ts';
import type { World } from '../world.ts';
import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

const MIB = 1_024 ** 2;
const LINES = 60;
const HELLO = 'hello:\n  tags: [live]\n  script: [echo hello]\n';
const BUILD = 'pack:\n  tags: [live]\n  build: { context: . }\n';
const WRITES = `writes:
  tags: [live]
  script:
    - echo begun
    - head -c 100000000 /dev/zero >big
`;
/**
 * The machine's failure and reported as such; davit's own unneeded objects there are removed once, and
 * nothing else; other machines continue.
 */
export const diskFullEngine: Row = {
  row: 26,
  fault: 'disk full on the docker host',
  moment: 'container create, build, script',
  long: true,
  async run(world) {
    try {
      const board = await world.addBoard({ liveRestore: false, disk: '96m' });
      return { recoveryMs: await onBoard(world, board) };
    } finally {
      await world.removeBoard();
    }
  },
};

async function onBoard(world: World, board: OwnEngine): Promise<number[]> {
  const { client, history } = world;
  const elsewhere = await client.start(world.project(26), countFile(LINES, 12, '  tags: [board]\n'));
  const own = await images(world, board);
  fill(board.data);
  note(world, 26, 'no byte is free; an image of an ended pipeline could go');
  const from = history.now();
  const helped = await client.verdict(await client.start(world.project(26), HELLO));
  const recovery = history.now() - from;
  const { result, attempt } = jobOf(helped, 'hello');
  const first = await client.rawLog(helped.id, 'hello', 1);
  expectThat(result?.outcome === 'succeeded' && attempt === 2, 'room was made, and it did not help', [
    first?.bytes,
    result,
    await board.docker('images'),
    execFileSync('df', ['-k', board.data], { encoding: 'utf8' }),
  ]);
  expectThat(
    first?.bytes.includes('1 image of ended pipelines') === true,
    'the log does not say what was removed',
    first,
  );

  fill(board.data);
  note(world, 26, 'no byte is free, and nothing can go');
  const files = { Dockerfile: 'FROM scratch\nCOPY README.md /\n' };
  const release = keepFull(board.data);
  const stuck = await client
    .start(world.project(26), HELLO + BUILD, { files })
    .then((started) => client.verdict(started))
    .finally(release);
  for (const { result, attempt } of stuck.jobs) told(result, 2, attempt);

  fill(board.data, 8 * MIB);
  note(world, 26, 'a source takes what is left');
  const bulky = { big: 'x'.repeat(16 * MIB) };
  const large = await client.verdict(await client.start(world.project(26), HELLO, { files: bulky }));
  told(jobOf(large, 'hello').result, 2, jobOf(large, 'hello').attempt);

  note(world, 26, 'a script takes what is left');
  const greedy = await client.verdict(await client.start(world.project(26), WRITES));
  told(jobOf(greedy, 'writes').result, 1, jobOf(greedy, 'writes').attempt);
  expectThat(
    jobOf(greedy, 'writes').result?.log?.complete === false,
    'a log that may lack lines says it is whole',
  );

  const names = `${await board.docker('images', '--format', '{{.Repository}}:{{.Tag}}')}\n${await board.docker('ps', '-a', '--format', '{{.Names}}')}\n${await board.docker('volume', 'ls', '-q')}`;
  for (const name of own.foreign) history.add({ type: 'foreign', name, there: names.includes(name) });
  expectThat(!names.includes(own.garbage), `${own.garbage} is still there`);
  expectThat(existsSync(fillerOf(board.data)), 'a file that is not davit’s is gone');
  empty(board.data);
  const healed = history.now();
  const again = await client.verdict(await client.start(world.project(26), HELLO));
  expectThat(jobOf(again, 'hello').attempt === 1 && again.state === 'success', 'it does not heal', again);
  expectWhole(world, await client.verdict(elsewhere), LINES);
  return [recovery, history.now() - healed];
}

function told(
  result: { outcome: string; kind?: string; message?: string } | undefined,
  attempts: number,
  attempt: number | undefined,
): void {
  expectThat(
    result?.outcome === 'errored' && result.kind === 'no_space',
    `it is told as ${result?.outcome} ${result?.kind}`,
    result,
  );
  expectThat(/disk.* is full/.test(result?.message ?? ''), 'the message names no disk', result);
  expectThat(attempt === attempts, `it took ${attempt} attempts`);
}

/**
 * One unneeded image of this davit, others that look like it and are not its own; a foreign container and
 * volume.
 */
async function images(world: World, board: OwnEngine): Promise<{ garbage: string; foreign: string[] }> {
  const folder = mkdtempSync(join(world.home, 'image-'));
  const make = async (name: string, url: string, bytes: number): Promise<string> => {
    writeFileSync(join(folder, 'file'), Buffer.alloc(bytes, name));
    const tar = join(folder, 'image.tar');
    execFileSync('tar', ['-C', folder, '-cf', tar, 'file']);
    await board.docker('import', '--change', `LABEL org.opencontainers.image.url=${url}`, tar, name);
    return name;
  };
  const ours = `http://127.0.0.1:${world.ports.server}/pipelines/gone/1`;
  const garbage = await make(`${world.registryHost}/table:cache-amd64`, ours, 24 * MIB);
  const foreign = [
    await make(`${world.registryHost}/table:latest`, ours, 1_000),
    await make('elsewhere.example/table:cache-amd64', 'http://127.0.0.1:1/pipelines/gone/1', 1_000),
  ];
  await board.docker('volume', 'create', 'strangers-volume');
  await board.docker('create', '--name', 'strangers-container', 'davit/helper:1', 'true');
  rmSync(folder, { recursive: true });
  return { garbage, foreign: [...foreign, 'strangers-volume', 'strangers-container'] };
}
