import { execFileSync } from 'node:child_process';
import { renameSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { empty, fill } from '../fill.ts';
import type { World } from '../world.ts';
import { expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

const LINES = 80;
const ROOM_KIB = 16_384;
/** Lines that soon fill the last disk page of the log. */
const FILE = `count:
  script:
    - i=0; while [ $i -lt ${LINES} ]; do echo "line-$i"; echo "${'x'.repeat(300)}"; i=$((i+1)); sleep 0.05; done
    - head -c 300000 /dev/urandom >big
  artifacts: { paths: [big] }
`;
/**
 * Writes wait, reads continue, nothing incomplete is reported as complete, and everything continues by itself
 * once there is space.
 */
export const diskFullStore: Row = {
  row: 25,
  fault: 'disk full on the log and blob store',
  moment: 'script, artifacts',
  long: true,
  async run(world) {
    const data = join(world.home, 'data');
    const release = await onSmallDisk(world, data);
    try {
      return { recoveryMs: [await whileFull(world, data)] };
    } finally {
      empty(data);
      await release();
    }
  },
};

async function whileFull(world: World, data: string): Promise<number> {
  const { client, history, processes } = world;
  const pids = [processes.server.pid, processes.arch.pid];
  const id = await client.start(world.project(25), FILE);
  await client.untilLogged(id, 'count', 'line-3\n');
  fill(data);
  note(world, 25, `the disk of the server is full while ${id} writes`);
  const from = history.events.length;
  await client.until('a refused append, and the end of the script', 60_000, () => {
    const since = history.events.slice(from);
    const refused = since.some(
      (event) => event.type === 'write' && event.pipeline === id && event.answer !== 'ok',
    );
    const over = since.some(
      (event) => event.type === 'container' && event.what === 'die' && event.pipeline === id,
    );
    return refused && over ? true : undefined;
  });
  const log = await client.rawLog(id, 'count');
  expectThat(log?.bytes.includes('line-3\n') === true, 'the log cannot be read', log);
  expectThat(log?.ended === false, 'a log that lacks its end says that it has one', log?.bytes.length);
  const status = await client.status(id);
  expectThat(status !== undefined && status.endedAt === undefined, 'the pipeline has ended', status);
  const blob = await client.send('/api/v1/blobs', {
    method: 'POST',
    body: new Uint8Array(500_000),
    headers: { 'content-type': 'application/octet-stream' },
  });
  expectThat(blob.code === 507, `a blob that has no room is answered ${blob.code}`, blob.body);
  empty(data);
  const healed = history.now();
  const ended = await client.verdict(id);
  const recovery = history.now() - healed;
  expectWhole(world, ended, LINES);
  expectThat(jobOf(ended, 'count').result?.artifacts?.files === 1, 'the artifact is not there', ended);
  expectThat(recovery < 20_000, `it went on only after ${Math.round(recovery)} ms`);
  expectThat(
    processes.server.pid === pids[0] && processes.arch.pid === pids[1],
    'a process was started again for it',
  );
  return recovery;
}

/** The server's data moves to a small disk of its own; the returned function moves it back. */
async function onSmallDisk({ home, processes }: World, data: string): Promise<() => Promise<void>> {
  const aside = join(home, 'data-aside');
  await processes.server.end('SIGTERM');
  const used = Number(execFileSync('du', ['-sk', data], { encoding: 'utf8' }).split('\t')[0]);
  renameSync(data, aside);
  mkdirSync(data);
  const size = `size=${used * 2 + ROOM_KIB}k`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'davit-faults', data]);
  execFileSync('cp', ['-a', `${aside}/.`, data]);
  await processes.server.start();
  return async () => {
    await processes.server.end('SIGTERM');
    rmSync(aside, { recursive: true });
    execFileSync('cp', ['-a', `${data}/.`, aside]);
    execFileSync('umount', ['-l', data]);
    rmSync(data, { recursive: true });
    renameSync(aside, data);
    await processes.server.start();
  };
}
