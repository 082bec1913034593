/**
 * The pipelines of a soak, in fixed proportions. Each must end as its kind requires, whatever happens; the
 * checker judges their effects on logs, targets and engines. A pipeline's random choices come from the seed
 * and its own number, so that they do not depend on the others.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Break, type Client, type Sent } from '../client.ts';
import { randomOf, type Random } from '../history.ts';
import { digestOf, GATED, jobOf, countFile, deployFile } from '../rows/row.ts';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import type { World } from '../world.ts';

/** Longer than several faults in a row. */
export const PIPELINE_MS = 240_000;
const SERVICES = 2;

export interface Turn {
  world: World;
  random: Random;
  slot: number;
  number: number;
}
type Kind = (turn: Turn) => Promise<void>;

/** The machine's fault, not the script's: retried as its file requests. */
const RETRY = '  retry: { max: 2, when: [runner_system_failure, unknown_failure] }\n';

/** Its own random numbers, independent of the order of pipelines. */
export const turnOf = (world: World, slot: number, number: number): Turn => ({
  world,
  random: randomOf(world.seed * 1_000_003 + number),
  slot,
  number,
});

const script: Kind = async ({ world, random, slot }) => {
  const lines = 5 + random.below(40);
  const id = await start(world, `soak-s${slot}`, countFile(lines, 0.5 + random.next() * 4, RETRY));
  await succeeded(world, id);
  await counted(world, id, { job: 'count', lines });
};

/** Talks to its service. */
const service: Kind = async ({ world, slot }) => {
  const file = `count:
  services: [{ name: davit/helper:1, alias: web, command: [httpd, -f, -p, '8000', -h, /etc] }]
${RETRY}  script:
    - i=0; until wget -q -O /dev/null http://web:8000/hostname; do i=$((i+1)); [ $i -lt 60 ]; sleep 0.5; done
    - for i in 0 1 2 3 4; do echo "line-$i"; wget -q -O /dev/null http://web:8000/hostname; sleep 0.2; done
`;
  const id = await start(world, `soak-s${slot}`, file);
  await succeeded(world, id);
  await counted(world, id, { job: 'count', lines: 5 });
};

/** The pushed image is the built one, and the tag names it. */
const build: Kind = async ({ world, number }) => {
  const { registryHost } = world;
  const to = `${registryHost}/soak-builds/n${number}`;
  const file = `stages: [build, push]
pack:
  stage: build
  build: { context: ., to: ${to} }
${RETRY}release:
  stage: push
  push: { from: pack, to: ${to}, tags: [latest] }
${RETRY}`;
  const dockerfile = `FROM davit/helper:1\nRUN echo ${number} >/number\n`;
  const id = await start(world, 'soak-builds', file, { Dockerfile: dockerfile });
  const status = await succeeded(world, id);
  const index = jobOf(status, 'release').result?.index;
  const built = jobOf(status, 'pack').result?.image?.digest;
  if (index?.platforms[0]?.digest !== built)
    throw new Break(`${id}: built was ${built}, the index names ${index?.platforms[0]?.digest}`);
  const stands = await digestOf(world, `soak-builds/n${number}`, 'latest');
  if (stands !== index?.digest)
    throw new Break(`${id}: the tag names ${stands}, pushed was ${index?.digest}`);
};

const deploy: Kind = async ({ world, random, number }) => {
  const id = await deployment(world, `soak-${random.below(SERVICES)}`, { number });
  await deployed(world, id);
};

/** Approved once, or by two people at once, or rejected. */
const gated: Kind = async ({ world, random, number }) => {
  const { client } = world;
  const id = await deployment(world, `soak-${random.below(SERVICES)}`, { number, more: GATED });
  await client.when(id, 'its gate', (one) => one.jobs[0]?.phase === 'gate', PIPELINE_MS);
  const [rejects, people] = [random.below(4) === 0, 1 + random.below(2)];
  const decide = (): Promise<Sent> =>
    taken(client, () => client.decide(id, 'ship', rejects ? 'reject' : 'play'));
  const sent = await Promise.all(Array.from({ length: people }, decide));
  if (sent.filter(({ answer }) => answer === 'ok').length > 1)
    throw new Break(`${id}: two decisions of one gate were accepted`);
  if (!rejects) return deployed(world, id);
  const { result } = jobOf(await client.verdict(id, PIPELINE_MS), 'ship');
  if (result?.kind !== 'rejected') throw new Break(`${id} was rejected, and ended ${JSON.stringify(result)}`);
};

/** A long script, cancelled before it starts or while it runs. */
const cancelScript: Kind = async ({ world, random, slot }) => {
  const { client } = world;
  const id = await start(world, `soak-s${slot}`, countFile(900, 300, RETRY));
  await delay(random.below(4_000));
  const sent = await taken(client, () => client.cancel(id));
  const { state } = await client.verdict(id, PIPELINE_MS);
  if (state !== 'canceled') throw new Break(`${id} was cancelled (${sent.code}) and is ${state}`);
};

/** Not created, or rolled back, or already ended; the checker examines what reached the target, and when. */
const cancelDeploy: Kind = async ({ world, random, number }) => {
  const { client } = world;
  const name = `soak-${random.below(SERVICES)}`;
  const id = await deployment(world, name, { number });
  await delay(random.below(4_000));
  const sent = await taken(client, () => client.cancel(id));
  const status = await client.verdict(id, PIPELINE_MS);
  // A pipeline that was cancelled before it had a plan has no jobs.
  const result = status.jobs.find(({ key }) => key === 'ship')?.result;
  const state = result?.deployed?.state;
  const fine =
    status.state === 'canceled' ? state !== 'converged' && state !== 'unknown' : isDeployed(status);
  if (!fine)
    throw new Break(`${id} was cancelled (${sent.code}) and is ${status.state}: ${JSON.stringify(result)}`);
};

/**
 * Two pushes, the later one delivered first, each more than once: two pipelines, and the later one counts.
 * One pair at a time.
 */
const deliveries: Kind = (turn) => {
  const pair = lastPair.then(() => twoPushes(turn));
  lastPair = pair.catch(() => undefined); // reported by its caller
  return pair;
};
let lastPair: Promise<unknown> = Promise.resolve();

async function twoPushes({ world }: Turn): Promise<void> {
  const { client } = world;
  const [one, two] = [world.nextPush(), world.nextPush()];
  const tell = (push: typeof one): Promise<Sent> =>
    taken(client, () => client.deliverPush({ ...push, id: push.after }));
  const [second] = await Promise.all([tell(two), tell(two)]);
  const first = await tell(one);
  await Promise.all([tell(two), tell(one)]);
  const ids = await Promise.all(
    [second, first].map(({ body }) => client.pipelineOf('hook', String(body.key), PIPELINE_MS)),
  );
  const [newer, older] = await Promise.all(ids.map((id) => client.verdict(id, PIPELINE_MS)));
  if (newer?.state !== 'success') throw new Break(`the later push is ${newer?.state}: ${newer?.id}`);
  // It may have started before the newer one was known: then it continues, as in GitLab.
  if (older?.state !== 'canceled' && older?.state !== 'success')
    throw new Break(`the earlier push is ${older?.state}: ${older?.id}`);
}

/** Twenty pipelines; deliveries start two each. */
const CYCLE: readonly Kind[] = [
  ...[script, deploy, gated, cancelScript, service],
  ...[script, build, script, deploy, deliveries],
  ...[script, gated, script, cancelDeploy, service],
  ...[script, build, script, deploy, gated],
];
export const kindOf = (number: number): Kind => CYCLE[(number - 1) % CYCLE.length] ?? script;

const start = (
  { client }: World,
  project: string,
  file: string,
  files?: Record<string, string>,
): Promise<string> => client.start(project, file, { deadlineMs: PIPELINE_MS, files });

async function deployment(
  world: World,
  name: string,
  { number, more }: { number: number; more?: string },
): Promise<string> {
  const id = await start(world, name, deployFile(world, name, String(number), more));
  const of = { deployId: `${id}/ship/1`, service: name, pipeline: id, job: 'ship' };
  world.history.add({ type: 'deployment', ...of, gated: more !== undefined });
  return id;
}

async function succeeded({ client }: World, id: string): Promise<PipelineStatus> {
  const status = await client.verdict(id, PIPELINE_MS);
  if (status.state !== 'success') throw new Break(`${id} is ${status.state}: ${told(status)}`);
  return status;
}

/** A deployment that a newer pipeline has overtaken is skipped, with a reason. */
async function deployed({ client }: World, id: string): Promise<void> {
  const status = await client.verdict(id, PIPELINE_MS);
  const overtaken = status.jobs.every(
    ({ outcome, result }) => outcome === 'skipped' && result?.kind === 'outdated',
  );
  if (!overtaken && !isDeployed(status)) throw new Break(`${id} is ${status.state}: ${told(status)}`);
}
const isDeployed = (status: PipelineStatus): boolean =>
  status.state === 'success' && jobOf(status, 'ship').result?.deployed?.state === 'converged';

const told = ({ jobs }: PipelineStatus): string =>
  JSON.stringify(jobs.map(({ key, attempt, result }) => ({ key, attempt, result })));

async function counted(world: World, id: string, of: { job: string; lines: number }): Promise<void> {
  const { attempt } = jobOf(await world.client.verdict(id, PIPELINE_MS), of.job);
  world.history.add({ type: 'lines', pipeline: id, job: of.job, attempt, prefix: 'line', count: of.lines });
}

/**
 * Retries until the server has accepted or refused: a request without a response may have been done, and a
 * repeat is idempotent.
 */
const taken = (client: Client, send: () => Promise<Sent>): Promise<Sent> =>
  client.until('an answer', PIPELINE_MS, async () => {
    const sent = await send();
    return sent.answer === 'unknown' ? undefined : sent;
  });
