/**
 * The end of a run: everything heals and ends, then the final state is written into the history for the
 * checker.
 */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { attemptOf, LABELS } from '../../activities/runtime/container-names.ts';
import { DEPLOY_ID, DEPLOY_SEQ } from '../../src/adapters/swarm/labels.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { OwnEngine } from './engine.ts';
import type { World } from './world.ts';

const command = promisify(execFile);
/** Waits until every known pipeline has ended or its deadline has passed. */
const END_MS = 180_000;

export async function settle(world: World): Promise<void> {
  await world.heal();
  const { client } = world;
  const projects = new Set([...client.tracked.keys()].map((id) => id.split('/')[0] ?? ''));
  if (world.history.events.some((event) => event.type === 'trigger' && event.project === 'hook'))
    projects.add('hook');
  for (const project of projects)
    for (const { id, sha } of await client.listed(project)) client.track(id, sha);
  await Promise.all(
    [...client.tracked.keys()].map((id) => client.verdict(id, END_MS).catch(() => undefined)),
  );
  await Promise.all([
    leftovers(world),
    eachInTurn([...client.tracked.keys()], 8, (id) => collect(world, id)),
  ]);
  await targets(world);
  await sinks(world);
}

async function eachInTurn<T>(
  list: readonly T[],
  atOnce: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...list];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
    }),
  );
}

/** The status once more (an end is an end), and every log. */
export async function collect({ client, history }: World, id: string): Promise<void> {
  const status = await client.get<PipelineStatus>(`/api/v1/pipelines/${id}`);
  history.add({ type: 'status', id, state: status.state, ended: status.endedAt !== undefined });
  for (const job of status.jobs)
    for (let attempt = 1; attempt <= job.attempt; attempt++) {
      const log = await client.rawLog(id, job.key, attempt);
      if (!log) continue;
      const last = attempt === job.attempt ? job.result?.log : undefined;
      const bytes = log.bytes;
      const of = { pipeline: id, job: job.key, attempt };
      history.add({ type: 'log', ...of, bytes, ended: log.ended, complete: log.complete, crc: last?.crc });
    }
}

interface Left {
  what: 'container' | 'volume' | 'network';
  name: string;
}

/** Releases come `release_delay` after a result, missed removals with the next round of the janitor. */
async function leftovers({ engine, board, history, installation, profile }: World): Promise<void> {
  const labels = { [LABELS.installation]: installation };
  const look = async (): Promise<Left[]> => {
    const of = <T extends { name: string; labels: Record<string, string> }>(
      what: Left['what'],
      list: readonly T[],
    ): Left[] => list.filter((one) => attemptOf(one)).map(({ name }) => ({ what, name }));
    const at = async ({ engine: its }: OwnEngine): Promise<Left[]> => [
      ...of('container', await its.listContainers(labels)),
      ...of('volume', await its.listVolumes(labels)),
      ...of('network', await its.listNetworks(labels)),
    ];
    return (await Promise.all([engine, ...(board ? [board] : [])].map(at))).flat();
  };
  const end = performance.now() + profile.tidyMs;
  for (;;) {
    const found = await look();
    if (found.length > 0 && performance.now() < end) {
      await delay(500);
      continue;
    }
    for (const one of found) history.add({ type: 'leftover', ...one, open: false });
    return;
  }
}

/** The final state of each deployed service. */
async function targets({ engine, history }: World): Promise<void> {
  const names = await engine.docker('service', 'ls', '--format', '{{.Name}}');
  for (const service of names.split('\n').filter((name) => name !== '')) {
    const text = await engine.docker('service', 'inspect', service, '--format', '{{json .Spec.Labels}}');
    const labels = JSON.parse(text) as Record<string, string>;
    const [deployId, seq] = [labels[DEPLOY_ID], Number(labels[DEPLOY_SEQ])];
    if (deployId !== undefined) history.add({ type: 'target', service, deployId, seq });
  }
}

/**
 * Where the canary must not be: Temporal's database, logs of processes and jobs, records, and what the engine
 * tells of containers.
 */
export async function sinks(world: World): Promise<void> {
  const { home, canary, history } = world;
  const engines = ['engine', 'live'].map((name) => `--exclude-dir=${name}`);
  const look = command('grep', ['-rlasF', ...engines, canary, home]);
  // It exits with 1 without a match, with 2 if a file disappeared; matches are printed in any case.
  const { stdout } = await look.catch((error: { stdout: string }) => error);
  const files = stdout.split('\n').filter((line) => line !== '');
  history.add({ type: 'sink', name: 'database, store and logs of processes', found: files.length > 0 });
  for (const file of files) history.add({ type: 'sink', name: file.slice(home.length), found: true });
  history.add({ type: 'sink', name: 'rows of the database', found: await world.databaseHolds(canary) });
  for (const event of history.events)
    if (event.type === 'log' && event.bytes.includes(canary))
      history.add({ type: 'sink', name: `log of ${event.pipeline} ${event.job}`, found: true });
}
