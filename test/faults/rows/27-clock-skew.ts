import { atEffect, deployFile, expectLines, expectThat, jobOf, note, reached, type Row } from './row.ts';

const OFF_MS = 600_000;
const LINES = 60;
/** Ages and times must match those of a correct clock within this tolerance. */
const NEAR_MS = 30_000;
const EXPIRE_MS = 300_000;
const FILE = `count:
  timeout: 90 seconds
  script:
    - echo made >made
    - i=0; while [ $i -lt ${LINES} ]; do echo "line-$i"; i=$((i+1)); sleep 0.1; done
  artifacts: { paths: [made], expire_in: 5 min }
uses:
  needs: [count]
  script: [cat made]
`;
/**
 * Nothing ends, is removed or expires early, no line is lost or doubled, and times are the engine's and the
 * server's.
 */
export const clockSkew: Row = {
  row: 27,
  fault: 'clocks of workers 10 minutes off, and jumping',
  moment: 'script, resume, deploy',
  separate: 'The server, whose clock the others are compared with, has the clock of that process.',
  long: true,
  async run(world) {
    const { client, processes, history } = world;
    try {
      for (const name of ['arch', 'control', 'deploy'] as const) world.skew(name, OFF_MS);
      note(world, 27, 'clocks of all workers are 10 minutes ahead');
      const began = Date.now();
      const service = world.project(27);
      const id = await client.start(world.project(27), FILE);
      const ship = await client.start(service, deployFile(world, service, 'skewed'));
      const applied = atEffect(world, 'deploy report', {
        moment: 'before',
        answer: 'pass',
        act: () => world.skew('deploy', 2 * OFF_MS),
      });
      await client.untilLogged(id, 'count', 'line-3\n');
      world.skew('arch', -OFF_MS);
      note(world, 27, 'the clock of the worker jumps back by 20 minutes');
      await client.untilLogged(id, 'count', 'line-20\n');
      await processes.arch.end('SIGKILL');
      world.skew('arch', OFF_MS);
      note(world, 27, 'its worker comes back 10 minutes ahead, and resumes');
      await processes.arch.start();
      const back = history.now();
      await reached(world, applied.done, 'the deployment');
      const status = await client.verdict(id);
      const recovery = history.now() - back;
      const shipped = await client.verdict(ship);
      expectLines(world, id, LINES);
      for (const one of [status, shipped]) {
        expectThat(one.state === 'success', `${one.id} ended early or failed`, one);
        for (const { key, attempt, result } of one.jobs) {
          expectThat(attempt === 1, `${one.id} ${key} took ${attempt} attempts`);
          for (const at of [result?.startedAt, result?.endedAt])
            expectThat(
              at !== undefined && at > began - NEAR_MS && at < Date.now() + NEAR_MS,
              `${one.id} ${key} has a time that never was`,
              result,
            );
        }
      }
      const count = jobOf(status, 'count').result;
      expectThat(count?.log?.complete === true, 'the log is not complete', count);
      expectThat(
        Math.abs((count?.artifacts?.expiresAt ?? 0) - Date.now() - EXPIRE_MS) < NEAR_MS,
        'an artifact expires at another time than it says',
        count?.artifacts,
      );
      return { recoveryMs: [recovery] };
    } finally {
      for (const name of ['arch', 'control', 'deploy'] as const) world.skew(name, 0);
    }
  },
};
