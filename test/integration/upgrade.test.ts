/**
 * A rolling upgrade under load: every process is replaced by SIGTERM while scripts run; no work is lost or
 * done twice.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmallDavit } from '../support/small-davit.ts';

const LINES = 60;
const YAML = `
stages: [one, two]
count:
  stage: one
  image: davit/helper:1
  script: ['i=0; while [ $i -lt ${LINES} ]; do echo "line-$i"; i=$((i+1)); sleep 0.1; done', 'echo "$CI_JOB_ID" >once']
  artifacts: { paths: [once] }
after:
  stage: two
  image: davit/helper:1
  script: ['echo "got $(cat once)"']
`;
const counted = Array.from({ length: LINES }, (_, line) => `line-${line}\n`).join('');
const PROJECTS = ['upgrade-a', 'upgrade-b', 'upgrade-c'];

let davit: SmallDavit;
beforeAll(async () => {
  davit = await SmallDavit.start({ release_delay: '1s' });
}, 120_000);
afterAll(() => davit.close(), 60_000);

test('worker, server and control worker are replaced one by one: every pipeline ends correctly, no attempt is used up, no job runs twice', async () => {
  const old = await davit.worker();
  const ids = await Promise.all(PROJECTS.map((project) => davit.start(project, YAML)));
  await Promise.all(ids.map((id) => davit.untilLogged(id, 'count', 'line-3\n')));
  await Promise.all([old.end('SIGTERM'), davit.replaceServer()]);
  const next = await davit.worker();
  await davit.replaceControl();
  for (const id of ids) {
    const status = await davit.verdict(id, 90_000);
    expect(status.state, JSON.stringify(status.jobs)).toBe('success');
    expect(status.jobs.map(({ attempt }) => attempt)).toEqual([1, 1]);
    const [count] = status.jobs;
    expect(count?.epoch).toBe(2);
    expect(count?.result).toMatchObject({ log: { complete: true } });
    const log = await davit.log(id, 'count');
    // Complete and once: a script that ran again would have counted again.
    expect(log.split('line-0\n')).toHaveLength(2);
    expect(log).toContain(counted);
    expect(await davit.log(id, 'after')).toContain(`got ${count?.jobId ?? 'nothing'}\n`);
  }
  await next.end('SIGTERM');
}, 180_000);
