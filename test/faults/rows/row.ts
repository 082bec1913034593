/** What a row of the fault matrix is, and the pipelines that rows drive. */
import { Break } from '../client.ts';
import type { Border, Crossing, Hook } from '../border.ts';
import type { PipelineStatus, JobStatus } from '../../../src/plan/model/protocol.ts';
import type { Lane, World } from '../world.ts';

export interface Outcome {
  /** From the end of the fault (the process is up, the link is restored) to the required outcome. */
  recoveryMs: number[];
}
export interface Row {
  row: number;
  /** The description of the fault, as in the matrix. */
  fault: string;
  moment: string;
  /** It kills and disconnects nothing that others need: such rows may run in parallel. */
  calm?: true;
  /** Uses the forge's project, where a newer push supersedes: such rows run one after the other. */
  pushes?: true;
  /**
   * It kills and disconnects only this worker: such rows run one after the other, in parallel to those of the
   * other lane.
   */
  lane?: Lane;
  /** Why it needs a process for each part: with one process it does not run. */
  separate?: string;
  /** Why it needs workers that reach their engines over ssh: it runs with `--fleet` only. */
  fleet?: string;
  /** Why it does not run with `--fleet`. */
  notFleet?: string;
  /** It begins with the version before, in a davit of its own. */
  before?: true;
  /** Mostly waits: runs in `npm run faults` only, not in `npm test`. */
  long?: true;
  /** Sets up, injects, waits for the required outcome; throws a `Break` when it does not come. */
  run(world: World): Promise<Outcome>;
}

/** Lines `line-0` and so on, between two canaries, which must not be seen. `seconds` in total. */
export function countFile(lines: number, seconds: number, more = ''): string {
  const pause = (seconds / lines).toFixed(3);
  return `count:
  script:
    - echo "it is $CANARY"
    - i=0; while [ $i -lt ${lines} ]; do echo "line-$i"; i=$((i+1)); sleep ${pause}; done
    - echo "it was $CANARY"
${more}`;
}
/** One deployment. `version` makes each different; \`sleep\` ignores SIGTERM, so the script traps it. */
export function deployFile(world: World, service: string, version: string, more = ''): string {
  return `ship:
  tags: [prod]
  environment: { name: ${service} }
${more}  deploy:
    swarm:
      service: ${service}
      image: ${world.image}
      command: [/bin/sh, -c, 'trap exit TERM; while :; do sleep 0.1; done # ${version}']
      endpoint_mode: dnsrr
      converge_timeout: 60s
`;
}
/** Longer than Temporal is down in any profile. */
export const GATED = '  when: manual\n  gate: { expires_in: 5 min }\n';

/** A second stage that a person starts. */
export const MANUAL_GO = `go:
  stage: deploy
  script: [exit 0]
${GATED}`;

export const expectThat = (holds: boolean, text: string, about?: unknown): void => {
  if (!holds) throw new Break(about === undefined ? text : `${text}: ${JSON.stringify(about)}`);
};
export function jobOf(status: PipelineStatus, key: string): JobStatus {
  const found = status.jobs.find((job) => job.key === key);
  if (!found) throw new Break(`${status.id} has no job ${key}`);
  return found;
}
/** For a script that must have run once, with all of its output. */
export function expectWhole(world: World, status: PipelineStatus, lines: number, key = 'count'): void {
  const job = jobOf(status, key);
  expectThat(status.state === 'success', `${status.id} did not succeed`, status);
  expectThat(job.attempt === 1, `${status.id} ${key} took ${job.attempt} attempts`);
  expectThat(
    job.result?.log?.complete === true,
    `the log of ${status.id} ${key} is not complete`,
    job.result,
  );
  expectLines(world, status.id, lines, key);
}
export const expectLines = (world: World, pipeline: string, count: number, job = 'count'): void =>
  world.history.add({ type: 'lines', pipeline, job, attempt: 1, prefix: 'line', count });

export const note = (world: World, row: number, what: string): void =>
  world.history.add({ type: 'fault', row, what });

/**
 * Named moments: the borders that davit's effects cross. Containers are those of jobs: a worker that starts sets the
 * firewall by one of its own.
 */
export const EFFECTS = {
  'container create': { border: 'arch>engine', is: /^POST .*\/containers\/create(?!.*-firewall-)/ },
  upload: { border: 'arch>engine', is: /^PUT .*\/containers\/[^/]+\/archive/ },
  'container start': { border: 'arch>engine', is: /^POST .*\/containers\/(?!.*-firewall-)[^/]+\/start/ },
  'container remove': { border: 'arch>engine', is: /^DELETE .*\/containers\/(?!.*-firewall-)/ },
  'log open': { border: 'arch>server', is: /^POST .*\/logs\/open/ },
  'log append': { border: 'arch>server', is: /^POST .*\/logs\/append/ },
  'log end': { border: 'arch>server', is: /^POST .*\/logs\/end/ },
  'blob put': { border: 'arch>server', is: /^PUT .*\/blobs/ },
  'result report': { border: 'arch>temporal', is: /RespondActivityTask(Completed|Failed|Canceled)$/ },
  'host acknowledged': { border: 'arch>temporal', is: /RecordActivityTaskHeartbeatById$/ },
  'detach by id': { border: 'arch>temporal', is: /RespondActivityTaskFailedById$/ },
  'service create': { border: 'deploy>target', is: /^POST .*\/services\/create/ },
  'service update': { border: 'deploy>target', is: /^POST .*\/services\/[^/]+\/update/ },
  'deploy report': { border: 'deploy>temporal', is: /RespondActivityTask(Completed|Failed|Canceled)$/ },
  'signal with start': { border: 'server>temporal', is: /SignalWithStartWorkflowExecution$/ },
  update: { border: 'server>temporal', is: /UpdateWorkflowExecution$/ },
  'manifest put': { border: 'control>registry', is: /^PUT .*\/manifests\/sha256:/ },
  'tag move': { border: 'control>registry', is: /^PUT .*\/manifests\/(?!sha256:)/ },
  'layer upload': { border: 'engine>registry', is: /^(PATCH|PUT) .*\/blobs\/uploads\// },
} as const;
export type EffectName = keyof typeof EFFECTS;

export function atEffect(
  world: World,
  effect: EffectName,
  hook: Pick<Hook, 'moment' | 'answer' | 'act'>,
): { done: Promise<void>; disarm(): void; border: Border } {
  const { border: name, is } = EFFECTS[effect];
  const border = world.border(name);
  const matches = ({ method, path }: Pick<Crossing, 'method' | 'path'>): boolean =>
    is.test(`${method} ${path}`);
  return { ...border.next({ name: effect, matches, ...hook }), border };
}

/** Waits for a named moment; fails if it does not occur. */
export async function reached(
  world: World,
  done: Promise<void>,
  what: string,
  ms = world.profile.waitMs,
): Promise<void> {
  let over = false;
  void done.then(() => {
    over = true;
  });
  await world.client.until(what, ms, () => (over ? true : undefined));
}

/** A build, and with a repository name a push of it. The Dockerfile is beside it. */
export function buildFile(world: World, repository?: string): string {
  const name = repository ?? 'built';
  const push = `release:
  stage: push
  push: { from: pack, to: ${world.registryHost}/${name}, tags: [latest] }
`;
  return `stages: [build, push]
pack:
  stage: build
  build: { context: .${repository === undefined ? '' : `, to: ${world.registryHost}/${name}`} }
${repository === undefined ? '' : push}`;
}
/** The digest that a name has at the registry now. */
export async function digestOf(
  { registry }: World,
  repository: string,
  reference: string,
): Promise<string | undefined> {
  const accept =
    'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${reference}`, {
    method: 'HEAD',
    headers: { accept },
  });
  return answer.headers.get('docker-content-digest') ?? undefined;
}
