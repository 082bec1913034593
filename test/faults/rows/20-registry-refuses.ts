import { dockerfile } from './01-kill-build.ts';
import { atEffect, buildFile, digestOf, expectThat, GATED, jobOf, note, reached, type Row } from './row.ts';
import type { World } from '../world.ts';

const RETRY_AFTER_S = 2;

/** The tag is moved while the deployment waits for a person. */
const deployedLater = (world: World, name: string): string =>
  `${buildFile(world, name).replace('stages: [build, push]', 'stages: [build, push, deploy]')}ship:
  stage: deploy
  tags: [prod]
  environment: { name: ${name} }
${GATED}  deploy:
    swarm:
      service: ${name}
      image_from: release
      command: [/bin/sh, -c, 'trap exit TERM; while :; do sleep 0.1; done']
      endpoint_mode: dnsrr
      converge_timeout: 60s
`;

/** A registry token that has expired: a new one is requested from its own host. Reports that request. */
function tokenRunsOut(world: World, repository: string): { asked: Promise<void>; disarm(): void } {
  const realm = `Bearer realm="http://${world.registryHost}/token",service="s",scope="repository:${repository}:pull,push"`;
  const refused = atEffect(world, 'manifest put', {
    moment: 'before',
    answer: { status: 401, headers: { 'www-authenticate': realm } },
    act: () => note(world, 20, 'the registry answers 401'),
  });
  const token = world.border('control>registry').next({
    name: 'token',
    matches: ({ path }) => path.startsWith('/token?'),
    moment: 'before',
    answer: {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: 'new' }),
    },
    act: () => undefined,
  });
  return {
    asked: Promise.all([refused.done, token.done]).then(() => undefined),
    disarm: () => [refused, token].forEach((hook) => hook.disarm()),
  };
}

/**
 * 401 is answered with a new token; 429 and 5xx pass; the pushed digest is deployed, whatever the tag means
 * by then.
 */
export const registryRefuses: Row = {
  row: 20,
  fault: 'registry returns 401, 429 and 503; tag moved by another',
  moment: 'push, deploy',
  async run(world) {
    const { client, history, engine, registryHost } = world;
    const project = world.project(20);
    const answered: number[] = [];
    const hooks = [429, 503].map((status) =>
      atEffect(world, 'manifest put', {
        moment: 'before',
        answer: { status, headers: { 'retry-after': String(RETRY_AFTER_S) } },
        act: () => {
          answered.push(history.now());
          note(world, 20, `the registry answers ${status}`);
        },
      }),
    );
    const token = tokenRunsOut(world, project);
    const id = await client.start(project, deployedLater(world, project), {
      files: dockerfile(`echo ${project}`),
    });
    const status = await client.when(id, 'its gate', (one) =>
      one.jobs.some(({ key, phase }) => key === 'ship' && phase === 'gate'),
    );
    const back = history.now();
    for (const hook of [...hooks, token]) hook.disarm();
    await reached(world, token.asked, 'a new token was asked for');
    expectThat(jobOf(status, 'release').outcome === 'succeeded', `${id} was not pushed`, status);
    const [first = 0, second = 0] = answered;
    expectThat(
      second - first >= RETRY_AFTER_S * 1_000,
      `asked again after ${Math.round(second - first)} ms, and ${RETRY_AFTER_S} s were asked for`,
    );
    const pushed = jobOf(status, 'release').result?.index?.digest;
    expectThat((await digestOf(world, project, 'latest')) === pushed, 'the tag names something else');
    note(world, 20, 'somebody moves the tag');
    await engine.docker('tag', 'davit/helper:1', `${registryHost}/${project}:latest`);
    await engine.docker('push', `${registryHost}/${project}:latest`);
    const moved = await digestOf(world, project, 'latest');
    expectThat(moved !== pushed, 'the tag was not moved');
    expectThat(
      (await digestOf(world, project, String(pushed))) === pushed,
      'what was pushed is not there by digest',
    );
    await client.decide(id, 'ship', 'play');
    const end = await client.verdict(id);
    expectThat(end.state === 'success', `${id} did not succeed`, end);
    const format = '{{.Spec.TaskTemplate.ContainerSpec.Image}}';
    const runs = await engine.docker('service', 'inspect', project, '--format', format);
    expectThat(runs.endsWith(`@${pushed}`), `${runs} was deployed, and ${pushed} was pushed`);
    return { recoveryMs: [history.now() - back] };
  },
};
