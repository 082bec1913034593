import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/davit.ts';
import { SmallDavit } from '../support/small-davit.ts';

const LINES = 50;
const COUNT = `
count:
  image: davit/helper:1
  script:
    - i=0; while [ $i -lt ${LINES} ]; do echo "line-$i"; i=$((i+1)); sleep 0.1; done
    - echo "$CI_JOB_ID" >once
  artifacts: { paths: [once] }
`;
const counted = Array.from({ length: LINES }, (_, line) => `line-${line}\n`).join('');

let davit: SmallDavit;
beforeAll(async () => {
  davit = await SmallDavit.start({ release_delay: '1s' });
}, 120_000);
afterAll(() => davit.close(), 60_000);

describe('a worker that ends during a script', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    '%s: the script runs once, its log is complete, no attempt is used up',
    async (signal) => {
      const worker = await davit.worker();
      const id = await davit.start(`kill-${signal.toLowerCase()}`, COUNT);
      await eventually('the job to be shown as running', 30_000, async () =>
        (await davit.status(id))?.jobs[0]?.phase === 'running' ? true : undefined,
      );
      await davit.untilLogged(id, 'count', 'line-5\n');
      await worker.end(signal);
      const next = await davit.worker();
      const status = await davit.verdict(id, 60_000);
      expect(status.state).toBe('success');
      expect(status.jobs[0]).toMatchObject({ attempt: 1, epoch: 2, outcome: 'succeeded' });
      expect(status.jobs[0]?.result).toMatchObject({ log: { complete: true }, artifacts: { files: 1 } });
      expect(await davit.log(id, 'count')).toContain(`$ i=0;`);
      expect(await davit.log(id, 'count')).toContain(counted);
      // The next worker reported the loss: nothing waited for the heartbeat timeout.
      const { events } = await davit.temporal.client.workflow.getHandle(`pipeline/${id}`).fetchHistory();
      expect(events?.filter((event) => event.activityTaskTimedOutEventAttributes)).toEqual([]);
      await next.end('SIGTERM');
    },
    120_000,
  );
});

test('the key and the token of the machine are replaced while a job runs and its worker dies: nothing is lost', async () => {
  const worker = await davit.worker();
  const hidden = COUNT.replace('count:', 'variables: { SECRET: hidden-value }\ncount:');
  const id = await davit.start('rotated', hidden);
  await davit.untilLogged(id, 'count', 'line-5\n');
  davit.rotateKey();
  await davit.newMachineToken();
  await davit.untilLogged(id, 'count', 'line-15\n');
  await worker.end('SIGKILL');
  await davit.newMachineToken();
  const next = await davit.worker();
  const status = await davit.verdict(id, 60_000);
  expect(status.jobs[0]).toMatchObject({ attempt: 1, epoch: 2, outcome: 'succeeded' });
  expect(status.jobs[0]?.result).toMatchObject({ log: { complete: true }, artifacts: { files: 1 } });
  expect(await davit.log(id, 'count')).toContain(counted);
  await next.end('SIGTERM');
}, 120_000);

describe('a cancel', () => {
  const SLEEP = `
wait:
  image: davit/helper:1
  script: [echo begun, sleep 1000]
  after_script: ['echo "it is $CI_JOB_STATUS"']
`;
  const containers = async (): Promise<string[]> => {
    const engine = await davit.ports.engine();
    const found = await engine.listContainers({ 'davit.installation': davit.installation });
    await engine.close();
    return found.map(({ name }) => name);
  };

  test('reaches the script and leaves nothing', async () => {
    const worker = await davit.worker();
    const id = await davit.start('cancelled', SLEEP);
    await davit.untilLogged(id, 'wait', '\nbegun\n');
    await davit.temporal.client.workflow.getHandle(`pipeline/${id}`).cancel();
    const status = await davit.verdict(id, 60_000);
    expect(status.state).toBe('canceled');
    expect(await davit.log(id, 'wait')).toMatch(/it is canceled\n[^]*Job cancelled/);
    await eventually('the removal', 20_000, async () =>
      (await containers()).length === 0 ? true : undefined,
    );
    await worker.end('SIGTERM');
  }, 120_000);

  test('of a job whose worker is dead is executed by the next worker', async () => {
    const worker = await davit.worker();
    const id = await davit.start('cancelled-later', SLEEP);
    await davit.untilLogged(id, 'wait', '\nbegun\n');
    await worker.end('SIGKILL');
    await davit.temporal.client.workflow.getHandle(`pipeline/${id}`).cancel();
    const next = await davit.worker();
    const status = await davit.verdict(id, 90_000);
    expect(status.state).toBe('canceled');
    await eventually('the removal', 20_000, async () =>
      (await containers()).length === 0 ? true : undefined,
    );
    await next.end('SIGTERM');
  }, 150_000);
});
