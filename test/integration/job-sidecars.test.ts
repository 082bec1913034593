import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeApitest } from '../../activities/job/apitest.ts';
import type { RunInput } from '../../activities/contract.ts';
import { attemptName } from '../../activities/runtime/container-names.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { isDigest } from '../../src/plan/model/ids.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ApitestSpec } from '../../src/plan/model/spec.ts';
import { HELPER, JobBench } from '../support/job-bench.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { freePort } from '../support/port.ts';
import { tarOf } from '../support/job-stores.ts';

let bench: JobBench;
let registry: TestRegistry;
const tags: string[] = [];
beforeAll(async () => {
  [bench, registry] = await Promise.all([JobBench.open(), startRegistry()]);
});
afterAll(async () => {
  await bench.close();
  await registry.stop();
  for (const tag of tags) execFileSync('docker', ['image', 'rm', '-f', tag]);
});

/** A local image from the helper, with these additional lines. */
async function build(name: string, lines: string[]): Promise<string> {
  const tag = `davit-test/${name}-${bench.installation.slice(0, 8)}:1`;
  const context = await tarOf({ Dockerfile: [`FROM ${HELPER}`, ...lines].join('\n') });
  execFileSync('docker', ['build', '-q', '-t', tag, '-'], {
    input: context,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  tags.push(tag);
  return tag;
}

/** Pushed, and identified by its digest. */
async function push(local: string): Promise<RunInput['images'][number]> {
  const repository = `${registry.host}/${local.split(':')[0]}`;
  execFileSync('docker', ['tag', local, `${repository}:1`]);
  tags.push(`${repository}:1`);
  const said = execFileSync('docker', ['push', `${repository}:1`], { encoding: 'utf8' });
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1] ?? '';
  if (!isDigest(digest)) throw new Error(said);
  return {
    job: 'build: [amd64]',
    image: { repository, digest, platform: { os: 'linux', architecture: 'amd64' }, sizeBytes: 1 },
  };
}

const run = (input: RunInput): Promise<JobResult> =>
  bench
    .environment()
    .run(input.kind === 'apitest' ? makeApitest(bench.deps()) : makeRunJob(bench.deps()), input);

const web = (greeting: string, port: number): string[] => [
  `RUN mkdir -p /www && echo ${greeting} >/www/index.html && echo fine >/www/health`,
  `EXPOSE ${port}`,
  `CMD ["sh", "-c", "echo serving $GREETING; exec httpd -f -p ${port} -h /www"]`,
];

describe('services', () => {
  test('reach the job as "build"; a port that is not TCP is not waited for', async () => {
    const ask =
      'until wget -q -O - http://build:9000/; do sleep 0.2; done >/www/index.html; exec httpd -f -p 8000 -h /www';
    const image = await build('asking', ['RUN mkdir -p /www', 'EXPOSE 53/udp', `CMD ["sh", "-c", "${ask}"]`]);
    const input = await bench.input({
      script: [
        'mkdir w; echo from-the-job >w/index.html; httpd -p 9000 -h w',
        'until wget -q -O - http://db:8000/ 2>/dev/null; do sleep 0.2; done',
      ],
      services: [{ name: image, pullPolicy: 'if-not-present', aliases: ['db'], variables: [] }],
      timeoutMs: 60_000,
    });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain('from-the-job\n');
    expect(bench.log(input)).not.toContain('did not start properly');
  });

  test('answer under their aliases, with their own variables, and are removed afterwards', async () => {
    const image = await build('service', web('from-the-service', 8000));
    const input = await bench.input({
      script: ['wget -q -O - http://db:8000/', 'wget -q -O - http://other:8000/health'],
      services: [
        {
          name: image,
          pullPolicy: 'if-not-present',
          aliases: ['db', 'other'],
          variables: [{ name: 'GREETING', value: { literal: 'x' }, masked: false, file: false }],
        },
      ],
    });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain('from-the-service\n');
    expect((await bench.remains()).filter((name) => /-svc-|probe/.test(name))).toEqual([]);
    expect(await bench.engine.listNetworks({ 'davit.job.key': input.ref.job })).toEqual([]);
  });

  test('one that dies causes a warning with its last lines; the job continues', async () => {
    const image = await build('dying', ['EXPOSE 9000', 'CMD ["sh", "-c", "echo I cannot; exit 3"]']);
    const service = { name: image, pullPolicy: 'if-not-present' as const, aliases: ['db'], variables: [] };
    const input = await bench.input({ script: ['echo runs'], services: [service] });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toMatch(/probably did not start properly[^]*I cannot[^]*runs/);
  });

  test('service_network: shared makes them reachable by localhost and their aliases', async () => {
    const image = await build('shared', web('from-the-shared', 8000));
    const service = { name: image, pullPolicy: 'if-not-present' as const, aliases: ['db'], variables: [] };
    const script = ['wget -q -O - http://127.0.0.1:8000/', 'wget -q -O - http://db:8000/health'];
    const own = await bench.input({ script, services: [service] });
    expect(await run(own)).toMatchObject({ outcome: 'failed' });
    bench.workerConfig = { service_network: 'shared' };
    const input = await bench.input({ script, services: [service] });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    bench.workerConfig = {};
    expect(bench.log(input)).toMatch(/from-the-shared\n[^]*fine\n/);
    // Podman keeps the interface until the job's own container is removed.
    const podman = (await bench.engine.info()).kind === 'podman';
    const gone = podman ? /-svc-|probe/ : /-svc-|probe|-net$/;
    expect((await bench.remains()).filter((name) => gone.test(name))).toEqual([]);
    if (!podman) expect(await bench.engine.listNetworks({ 'davit.job.key': input.ref.job })).toEqual([]);
  });

  test('get the masked values that their image reads as files, and not in what the engine shows of them', async () => {
    const built = await build('database', [
      'RUN mkdir /www && chmod 777 /www',
      'EXPOSE 8000',
      'USER 65534',
      'CMD ["sh", "-c", "cp $POSTGRES_PASSWORD_FILE /www/got; exec httpd -f -p 8000 -h /www"]',
    ]);
    const name = `postgres:davit-test-${bench.installation.slice(0, 8)}`;
    execFileSync('docker', ['tag', built, name]);
    tags.push(name);
    const password = 'canary-of-the-database';
    const value = { value: { literal: password }, masked: true, file: false };
    const created = vi.spyOn(bench.engine, 'createContainer');
    const input = await bench.input({
      script: ['wget -q -O - http://db:8000/got', `test "$(wget -q -O - http://db:8000/got | wc -c)" = 22`],
      services: [
        {
          name,
          pullPolicy: 'if-not-present',
          aliases: ['db'],
          variables: [{ name: 'POSTGRES_PASSWORD', ...value }],
        },
      ],
    });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain('[MASKED]');
    expect(bench.log(input)).not.toContain(password);
    const service = created.mock.calls.map(([one]) => one).find((one) => one.name.endsWith('-svc-0'));
    expect(service?.env).toEqual(['POSTGRES_PASSWORD_FILE=/davit/secrets/POSTGRES_PASSWORD']);
    expect(JSON.stringify(created.mock.calls)).not.toContain(password);
    created.mockRestore();
  });

  test('are privileged if the worker allows it, never for a fork', async () => {
    const image = await build('privileged', ['CMD ["true"]']);
    const service = { name: image, pullPolicy: 'if-not-present' as const, aliases: ['dind'], variables: [] };
    const created = vi.spyOn(bench.engine, 'createContainer');
    const asked = async (fork: boolean, protectedRef = true): Promise<unknown> => {
      created.mockClear();
      // Some engines cannot start a privileged container; the request is the same.
      await run(await bench.input({ script: ['true'], services: [service], fork, protectedRef }));
      return created.mock.calls.map(([one]) => one).find(({ name }) => name.endsWith('-svc-0'))?.privileged;
    };
    expect(await asked(false)).toBe(false);
    bench.workerConfig = { privileged_services: true, fork_images: ['*'] };
    expect(await asked(false)).toBe(true);
    expect(await asked(false, false)).toBe(false);
    expect(await asked(true)).toBe(false);
    bench.workerConfig = { privileged_services: 'branches' };
    expect(await asked(false, false)).toBe(true);
    bench.workerConfig = {};
    created.mockRestore();
  });

  test('jobs without services cannot reach each other', async () => {
    const first = await bench.input({
      script: ['hostname -i', 'echo reached >index.html', 'httpd -f -p 8000'],
      timeoutMs: 8_000,
    });
    const running = run(first);
    await expect.poll(() => /(\d+\.){3}\d+\n/.exec(bench.log(first))?.[0], { timeout: 10_000 }).toBeTruthy();
    const address = /((\d+\.){3}\d+)\n/.exec(bench.log(first))?.[1];
    const second = await bench.input({
      script: [`timeout 2 wget -q -O - http://${address}:8000/ && exit 0; echo unreachable; exit 1`],
    });
    expect(await run(second)).toMatchObject({ outcome: 'failed' });
    expect(bench.log(second)).toContain('unreachable\n');
    await running;
  });
});

describe('apitest', () => {
  const spec = (more: Partial<ApitestSpec> = {}): Partial<ApitestSpec> => ({
    kind: 'apitest',
    arch: 'amd64',
    imageFrom: 'build',
    port: 8080,
    ready: { http: '/health', timeoutMs: 10_000 },
    network: 'job',
    host: 'table',
    env: [{ name: 'GREETING', value: { literal: 'table' }, masked: false, file: false }],
    script: ['echo "at $API_URL"; wget -q -O - "$API_URL/"'],
    ...more,
  });

  test('tests exactly the digest that was built', async () => {
    const image = await push(await build('tested', web('hello-from-table', 8080)));
    const input = await bench.input(spec(), { images: [image] });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain('at http://table:8080\nhello-from-table\n');
    expect(bench.log(input)).toContain(image.image.digest);
    expect((await bench.remains()).filter((name) => name.includes('tested'))).toEqual([]);
  });

  test('on the network of the host it gets the name of the host', async () => {
    const port = await freePort();
    const image = await push(await build('hosted', web('hello-from-host', port)));
    const onHost = spec({ network: 'host', port, ready: { timeoutMs: 10_000 } });
    bench.workerConfig = { host_network: 'protected' };
    const input = await bench.input(onHost, { images: [image] });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    bench.workerConfig = {};
    expect(bench.log(input)).toContain(`at http://bench:${port}\nhello-from-host\n`);
  });

  test('the network of the host is no right of a fork, and of a branch only where the worker says so', async () => {
    const image = await push(await build('reaching', web('x', 8080)));
    const asked = async (trust: Partial<ApitestSpec>, host_network: string): Promise<JobResult> => {
      bench.workerConfig = { host_network };
      const port = await freePort();
      const script = ['echo "reached the machine"'];
      const input = await bench.input(spec({ network: 'host', port, script, ...trust }), { images: [image] });
      const result = await run(input);
      bench.workerConfig = {};
      if (result.outcome === 'failed') expect(bench.log(input)).not.toContain('\nreached the machine');
      return result;
    };
    const refused = { outcome: 'failed', kind: 'config', started: false };
    expect(await asked({ fork: true, protectedRef: false }, 'branches')).toMatchObject(refused);
    expect(await asked({ protectedRef: false }, 'protected')).toMatchObject({
      ...refused,
      message: expect.stringContaining('worker.yml of bench: host_network: branches'),
    });
    expect(await asked({}, 'none')).toMatchObject(refused);
  });

  test('a failed test shows the log of the container under test', async () => {
    const image = await push(await build('failing', web('x', 8080)));
    const input = await bench.input(spec({ script: ['wget -q -O - "$API_URL/absent"'] }), {
      images: [image],
    });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'script' });
    expect(bench.log(input)).toMatch(/Last lines of the tested container:\nserving table/);
  });

  test('an ended container under test fails the job without waiting for the readiness timeout', async () => {
    const image = await push(await build('ending', ['CMD ["sh", "-c", "echo no config; exit 9"]']));
    const input = await bench.input(spec({ ready: { http: '/', timeoutMs: 60_000 } }), { images: [image] });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'readiness', started: false });
    // The reason is its end, not the timeout of the readiness probe.
    expect(bench.log(input)).toMatch(/no config[^]*ended with exit code 9/);
  });

  test('one that never answers fails at the readiness timeout', async () => {
    const image = await push(await build('silent', ['CMD ["sleep", "1000"]']));
    const input = await bench.input(spec({ ready: { timeoutMs: 1_000 } }), { images: [image] });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'readiness' });
    expect(bench.log(input)).toContain('did not answer within 1 s');
  });

  test('leftovers of an earlier build with the same name are removed first', async () => {
    const image = await push(await build('again', web('x', 8080)));
    const earlier = { workflowId: 'pipeline/demo/0', runId: 'an-earlier-run' };
    const left = `${attemptName(bench.installation, earlier, { job: 'test', attempt: 1 })}-tested`;
    await bench.engine.createContainer({
      name: left,
      image: HELPER,
      labels: {
        'davit.installation': bench.installation,
        'davit.kind': 'tested',
        'davit.job.tested': 'demo/table',
        'davit.job.workflow': 'pipeline/demo/0',
        'davit.job.run': 'an-earlier-run',
        'davit.job.key': 'test',
        'davit.job.attempt': '1',
      },
      command: ['sleep', '1000'],
      volumes: [],
      logMaxBytes: 1_000_000,
    });
    await bench.engine.startContainer(left);
    bench.closed = true;
    expect(await run(await bench.input(spec(), { images: [image] }))).toMatchObject({ outcome: 'succeeded' });
    bench.closed = false;
    expect(await bench.engine.inspectContainer(left)).toBeUndefined();
  });
});
