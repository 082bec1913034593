import { describe, expect, test } from 'vitest';
import type { BuildSpec, DeploySpec, JobSpec, PushSpec } from '../../../../src/plan/model/spec.ts';
import { job, jobs, mistakes, type Overrides } from '../helpers.ts';

const STAGES = 'stages: [build, test, push, deploy]\n';
const build = (inner: string, more = ''): string => `${STAGES}b: {stage: build, build: {${inner}}${more}}`;
function specOf<K extends JobSpec['kind']>(
  kind: K,
  text: string,
  key: string,
  more: Overrides = {},
): Extract<JobSpec, { kind: K }> {
  const { spec } = job(text, key, more);
  const isKind = (one: JobSpec): one is Extract<JobSpec, { kind: K }> => one.kind === kind;
  if (!isKind(spec)) throw new Error(`${key} is ${spec.kind}`);
  return spec;
}
const buildOf = (text: string, key = 'b', more: Overrides = {}): BuildSpec =>
  specOf('build', text, key, more);
const SECRET: Overrides = {
  project: {
    variables: [
      { name: 'TOKEN', value: { secret: 'env:T' }, masked: true, file: false },
      { name: 'SHY', value: { literal: 'x' }, masked: true, file: false },
    ],
  },
};

describe('build', () => {
  test('defaults', () => {
    expect(buildOf(build(''))).toMatchObject({
      arch: 'amd64',
      context: '.',
      dockerfile: 'Dockerfile',
      args: {},
      cacheFrom: 'registry',
      repository: '127.0.0.1:5000/table/pipelines/protected',
      tag: 'davit-7-b-amd64',
    });
  });
  test('is one job, under its plain name, if it names no platforms', () => {
    expect(job(build('', ', arch: arm64'), 'b').job).toMatchObject({
      key: 'b',
      group: 'b',
      arch: 'arm64',
      queue: 'arm64',
      rerunnable: true,
    });
  });
  test('one for each of its platforms', () => {
    expect(Object.keys(jobs(build('platforms: [arm32, arm64]')))).toEqual(['b: [arm32]', 'b: [arm64]']);
    expect(Object.keys(jobs(build('platforms: arm64')))).toEqual(['b: [arm64]']);
    expect(mistakes(build('platforms: [arm64, arm64]')).join()).toContain('names one architecture twice');
  });
  test('args, target, context and labels take variables', () => {
    const text = build(
      'args: {A: "$CI_COMMIT_SHORT_SHA", N: 1, U: $NOBODY}, target: "$CI_COMMIT_BRANCH", context: "dir/$CI_JOB_STAGE", labels: {v: "$CI_PIPELINE_IID"}',
    );
    expect(buildOf(text)).toMatchObject({
      args: { A: '01234567', N: '1', U: '' },
      target: 'main',
      context: 'dir/build',
      labels: { v: '7' },
    });
  });
  test("labels describe the origin of the image, and none of davit's own labels is among them", () => {
    const { labels } = buildOf(build(''));
    expect(labels).toMatchObject({
      'org.opencontainers.image.revision': '0123456789abcdef0123456789abcdef01234567',
      'org.opencontainers.image.version': '01234567',
      'org.opencontainers.image.url': 'http://127.0.0.1:8080/pipelines/table/7',
    });
    expect(Object.keys(labels).filter((name) => name.startsWith('davit'))).toEqual([]);
    expect(mistakes(build('labels: {davit.job.key: x}')).join()).toContain('language/conflict');
  });
  test.each(['$TOKEN', '$SHY', 'x${TOKEN}y', '$OUTER'])(
    'a masked variable in args is refused: %s',
    (text) => {
      const found = mistakes(build(`args: {A: "${text}"}`, ', variables: {OUTER: "$TOKEN"}'), SECRET);
      expect(found.join()).toContain('language/secret');
      expect(found.join()).not.toContain('env:T');
    },
  );
  test('a variable that is known only when the job runs is refused in args', () => {
    expect(mistakes(build('args: {A: $CI_JOB_ID}')).join()).toContain('known only when the job runs');
  });
  test('keywords of a container have no effect beside it', () => {
    for (const keyword of [
      'image: x',
      'services: [x]',
      'script: x',
      'before_script: x',
      'after_script: x',
      'artifacts: {paths: [x]}',
    ])
      expect(mistakes(build('', `, ${keyword}`)).join()).toContain('language/conflict');
  });
  test('names that slug alike do not share a tag', () => {
    const text = `${STAGES}b:x: {stage: build, build: {}}\nb/x: {stage: build, build: {}}`;
    expect(buildOf(text, 'b:x').tag).not.toBe(buildOf(text, 'b/x').tag);
  });
  test('is pushed to the repository of the push that names it, otherwise to CI_REGISTRY_IMAGE', () => {
    const text = `${build('')}\np: {stage: push, push: {from: b, to: $CI_REGISTRY_IMAGE/app, tags: [a]}}`;
    expect(buildOf(text).repository).toBe('127.0.0.1:5000/table/pipelines/protected/app');
    expect(specOf('push', text, 'p').repository).toBe('127.0.0.1:5000/table/app');
    expect(mistakes(build('to: reg.example.com/x/y')).join()).toContain('language/conflict');
  });
  test('gets the artifacts of earlier stages into its context', () => {
    expect(
      job(
        `${STAGES}a: {stage: build, image: x, script: x, artifacts: {paths: [bin]}}\nb: {stage: test, build: {}}`,
        'b',
      ).job.artifactsFrom,
    ).toEqual(['a']);
  });
});

describe('apitest', () => {
  const text = (inner: string, more = ''): string =>
    `${build('platforms: [arm32, amd64]')}\nt: {stage: test, image: tester, script: go, apitest: {image_from: b, port: 8080${inner}}${more}}`;
  test('runs the image of its own architecture', () => {
    expect(
      job(text(', ready: {http: /health, timeout: 5s}, env: {MODE: "$CI_COMMIT_BRANCH"}'), 't: [arm32]'),
    ).toMatchObject({
      job: {
        kind: 'apitest',
        arch: 'arm32',
        queue: 'arm32',
        imagesFrom: ['b: [arm32]'],
        needs: null,
        rerunnable: true,
      },
      spec: {
        kind: 'apitest',
        arch: 'arm32',
        imageFrom: 'b: [arm32]',
        port: 8080,
        ready: { http: '/health', timeoutMs: 5_000 },
        network: 'job',
        host: 'app',
        script: ['go'],
        image: { name: 'tester' },
        env: [{ name: 'MODE', value: { literal: 'main' } }],
      },
    });
  });
  test('on the network of the host, under a name of its own', () => {
    expect(job(text(', network: host, host: table'), 't: [amd64]').spec).toMatchObject({
      network: 'host',
      host: 'table',
    });
  });
  test('for fewer platforms than were built', () => {
    expect(Object.keys(jobs(text(', platforms: [amd64]')))).toContain('t: [amd64]');
    expect(Object.keys(jobs(text(', platforms: [amd64]')))).not.toContain('t: [arm32]');
    expect(mistakes(text(', platforms: [arm64]')).join()).toContain('"b" builds no image for arm64');
  });
  test('of a build without platforms it is one job on that architecture', () => {
    expect(
      job(
        `${build('', ', arch: arm64')}\nt: {stage: test, image: x, script: x, apitest: {image_from: b, port: 1}}`,
        't',
      ).job,
    ).toMatchObject({ arch: 'arm64', imagesFrom: ['b'] });
  });
  test('needs a script', () =>
    expect(
      mistakes(`${build('')}\nt: {stage: test, image: x, apitest: {image_from: b, port: 1}}`).join(),
    ).toContain('has no script'));
  test('the build must come earlier', () => {
    expect(
      mistakes(
        `${build('')}\nt: {stage: build, image: x, script: x, apitest: {image_from: b, port: 1}}`,
      ).join(),
    ).toContain('language/order');
    expect(
      mistakes(
        `${build('')}\nt: {stage: build, image: x, script: x, needs: [b], apitest: {image_from: b, port: 1}}`,
      ),
    ).toEqual([]);
  });
  test('with needs: [] it still waits for the image', () => {
    expect(job(text('', ', needs: []'), 't: [arm32]').job.needs).toEqual([
      { job: 'b: [arm32]', artifacts: false, optional: false },
    ]);
  });
});

describe('push', () => {
  const text = (inner: string): string =>
    `${build('platforms: [arm32, arm64]')}\np: {stage: push, push: {from: b, ${inner}}}`;
  const pushOf = (inner: string, more: Overrides = {}): PushSpec => specOf('push', text(inner), 'p', more);
  test('takes every architecture and writes the tags', () => {
    expect(pushOf('to: "$CI_REGISTRY_IMAGE", tags: [$CI_COMMIT_SHORT_SHA, latest, latest]')).toMatchObject({
      repository: '127.0.0.1:5000/table',
      tags: ['01234567', 'latest'],
      from: ['b: [arm32]', 'b: [arm64]'],
    });
    expect(job(text('tags: latest'), 'p').job).toMatchObject({
      kind: 'push',
      queue: 'control',
      artifactsFrom: [],
      rerunnable: true,
    });
  });
  test('a tag must be one', () => {
    expect(mistakes(text('tags: [$CI_COMMIT_REF_NAME]'), { trigger: { ref: 'feat/x' } }).join()).toContain(
      'push.tags[0] of "p" is not a tag: "feat/x"',
    );
    expect(mistakes(text('tags: ["$NOBODY"]')).join()).toContain('is not a tag: ""');
  });
  test('a repository must be one', () => {
    expect(mistakes(text('to: "Team/App", tags: [a]')).join()).toContain(
      'push.to of "p" is not a repository name',
    );
    expect(mistakes(text('to: "reg.example.com/app:tag", tags: [a]')).join()).toContain(
      'not a repository name',
    );
  });
  test('an index can only name images of its own repository', () => {
    expect(
      mistakes(
        `${build('to: reg.example.com/a')}\np: {stage: push, push: {from: b, to: reg.example.com/b, tags: [a]}}`,
      ).join(),
    ).toContain('language/conflict');
  });
  test('several architectures take an index', () =>
    expect(mistakes(text('tags: [a], manifest: false')).join()).toContain('manifest: true'));
  test('with from it takes the image of a build', () => {
    expect(
      mistakes(
        `${STAGES}s: {stage: build, image: x, script: x}\np: {stage: push, push: {from: s, tags: [a]}}`,
      ).join(),
    ).toContain('which is not a build job');
    expect(mistakes(`${STAGES}p: {stage: push, push: {from: nobody, tags: [a]}}`).join()).toContain(
      'language/unknown-job',
    );
  });
});

describe('deploy', () => {
  const text = (swarm: string, more = ''): string =>
    `${build('')}\np: {stage: push, push: {from: b, tags: [a]}}\nd: {stage: deploy, environment: {name: prod, url: "http://x"}, deploy: {swarm: {service: table, image_from: p${swarm}}}${more}}`;
  const deployOf = (swarm: string, more?: string, overrides: Overrides = {}): DeploySpec =>
    specOf('deploy', text(swarm, more), 'd', overrides);
  test('all of it', () => {
    const spec = deployOf(
      ', replicas: 2, publish: ["8080:80", "53:53/udp", 9000, {published: 1, target: 2, mode: ingress}], constraints: ["node.labels.role == $CI_JOB_STAGE"], env: {A: "$CI_COMMIT_BRANCH"}, networks: [n], command: [serve, "--v=$CI_PIPELINE_IID"], update: {order: start-first, parallelism: 2, delay: 5s, on_failure: pause}, converge_timeout: 3 min',
    );
    expect(spec).toMatchObject({
      target: 'tablemaster',
      imageFrom: 'p',
      environment: { name: 'prod', url: 'http://x' },
      swarm: {
        service: 'table',
        replicas: 2,
        endpointMode: 'vip',
        publish: [
          { published: 8080, target: 80, protocol: 'tcp', mode: 'ingress' },
          { published: 53, target: 53, protocol: 'udp', mode: 'ingress' },
          { published: 9000, target: 9000, protocol: 'tcp', mode: 'ingress' },
          { published: 1, target: 2, protocol: 'tcp', mode: 'ingress' },
        ],
        constraints: ['node.labels.role == deploy'],
        env: { A: 'main' },
        networks: ['n'],
        command: ['serve', '--v=7'],
        update: { order: 'start-first', parallelism: 2, delayMs: 5_000, onFailure: 'pause' },
        convergeTimeoutMs: 180_000,
      },
    });
  });
  test('ports of a dnsrr service are published by the host', () => {
    expect(deployOf(', endpoint_mode: dnsrr, publish: ["8080:8080"]').swarm.publish).toEqual([
      { published: 8080, target: 8080, protocol: 'tcp', mode: 'host' },
    ]);
  });
  test('published ports take variables', () => {
    expect(deployOf(', publish: ["$PORT:80"]', ', variables: {PORT: "81"}').swarm.publish).toMatchObject([
      { published: 81, target: 80 },
    ]);
    expect(mistakes(text(', publish: ["$NOBODY:80"]')).join()).toContain('deploy.swarm.publish[0]');
  });
  test('the job is in the queue of its target and is never rerun automatically', () => {
    expect(job(text('', ', retry: 1'), 'd').job).toMatchObject({
      kind: 'deploy',
      queue: 'deploy-tablemaster',
      target: 'tablemaster',
      imagesFrom: ['p'],
      rerunnable: false,
    });
  });
  test('the target: a tag that names one, otherwise the only one', () => {
    const two: Overrides = { targets: ['east', 'west'] };
    expect(deployOf('', ', tags: [west]', two).target).toBe('west');
    expect(mistakes(text(''), two).join()).toContain(
      '"d" names no deploy target; the targets are east, west',
    );
    expect(mistakes(text('', ', tags: [north]'), two).join()).toContain('language/target');
    expect(mistakes(text('', ', tags: [east, west]'), two).join()).toContain('language/conflict');
    expect(mistakes(text(''), { targets: [] }).join()).toContain('the installation has none');
  });
  test('either an image of a job or one by name', () => {
    expect(mistakes(text(', image: x')).join()).toContain('language/conflict');
    expect(mistakes('d: {deploy: {swarm: {service: x}}}').join()).toContain('language/conflict');
    expect(
      specOf('deploy', 'd: {deploy: {swarm: {service: x, image: "app:$CI_COMMIT_TAG"}}}', 'd', {
        trigger: { refKind: 'tag', ref: 'v1' },
      }).image,
    ).toBe('app:v1');
  });
  test("secrets do not belong in a service's environment", () => {
    expect(mistakes(text(', env: {A: $TOKEN}'), SECRET).join()).toContain('language/secret');
  });
  test('a build for several architectures deploys the pushed index', () => {
    expect(
      mistakes(
        `${build('platforms: [arm32, arm64]')}\nd: {stage: deploy, deploy: {swarm: {service: x, image_from: b}}}`,
      ).join(),
    ).toContain('deploy the index that a push job makes of them');
    expect(
      mistakes(`${build('')}\nd: {stage: deploy, deploy: {swarm: {service: x, image_from: b}}}`),
    ).toEqual([]);
  });
});
