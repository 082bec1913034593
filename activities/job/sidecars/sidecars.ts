/**
 * What runs beside a job: its network, its services, the container under test. Ordinary jobs share one
 * network whose members cannot reach each other. A network of its own costs 130 ms and an address range, so
 * only jobs that need one get it.
 */
import type { Engine } from '../../../src/adapters/ports.ts';
import { createHelper } from '../container/helper.ts';
import type { Job } from '../context/job.ts';
import { bridgeName, LABELS, sharedNetwork } from '../../runtime/container-names.ts';
import { startServices } from './services.ts';
import { startSystemUnderTest } from './system-under-test.ts';
import type { SidecarRequest, Sidecars } from './types.ts';

/** How services reach the job, as in GitLab. */
const JOB_ALIAS = 'build';

/** Starts the sidecars of a job. */
export async function startSidecars(job: Job, request: SidecarRequest): Promise<Sidecars> {
  const { spec, deps } = job;
  if (spec.kind === 'script' && spec.services.length === 0)
    return {
      network: (await keepsApart(deps.engine)) ? await shared(job) : await ownNetwork(job),
      notes: [],
      ready: () => Promise.resolve(),
    };
  await request.acknowledged;
  const onHost = spec.kind === 'apitest' && spec.network === 'host';
  const shares = spec.kind === 'script' && deps.worker.config.service_network === 'shared';
  const own = onHost ? { mode: 'host' as const } : await ownNetwork(job);
  const network = shares && 'name' in own ? await oneInterface(job, own.name) : own;
  const [services, tested] = await Promise.all([
    startServices(job, request, network),
    spec.kind === 'apitest' ? startSystemUnderTest(job, spec, { ...request, network }) : undefined,
  ]);
  return {
    network,
    hosts: onHost ? [`${deps.worker.hostName}:127.0.0.1`] : undefined,
    notes: [...services.notes, ...(tested?.notes ?? [])],
    ready: async () => {
      await services.ready();
      await tested?.ready();
    },
  };
}

async function ownNetwork({ deps, name, labels }: Job): Promise<{ name: string; aliases: string[] }> {
  const bridge = bridgeName(deps.facts.installation, name);
  await deps.engine.createNetwork(name, {
    labels: { ...labels, [LABELS.kind]: 'network' },
    icc: true,
    bridge,
  });
  return { name, aliases: [JOB_ALIAS] };
}

/**
 * A container that only holds the network interface that the job and its services share. It has all their
 * names, so code written for separate networks works here too.
 */
async function oneInterface(
  { deps, name, labels, spec }: Job,
  network: string,
): Promise<{ mode: { container: string } }> {
  const container = `${name}-net`;
  await createHelper(deps, {
    name: container,
    labels: { ...labels, [LABELS.kind]: 'helper' },
    entrypoint: ['sh', '-c', 'while :; do sleep 3600; done'],
    command: [],
    network: {
      name: network,
      aliases: [JOB_ALIAS, ...new Set(spec.services.flatMap(({ aliases }) => aliases))],
    },
    volumes: [],
    logMaxBytes: 1_024 * 1_024,
  });
  await deps.engine.startContainer(container);
  return { mode: { container } };
}

const apart = new WeakMap<Engine, boolean>();

/** Podman has no network whose members cannot reach each other. */
async function keepsApart(engine: Engine): Promise<boolean> {
  const found = apart.get(engine) ?? (await engine.info()).kind !== 'podman';
  apart.set(engine, found);
  return found;
}

/** Created once; checked again only after it was removed. */
const known = new WeakMap<Engine, Promise<void>>();

export const forgetNetwork = (engine: Engine): void => void known.delete(engine);

async function shared({ deps }: Job): Promise<{ name: string; aliases: string[] }> {
  const { installation } = deps.facts;
  const name = sharedNetwork(installation);
  let made = known.get(deps.engine);
  if (!made) {
    const labels = { [LABELS.installation]: installation, [LABELS.kind]: 'network' };
    made = deps.engine.createNetwork(name, { labels, icc: false, bridge: bridgeName(installation, name) });
    known.set(deps.engine, made);
    made.catch(() => known.delete(deps.engine));
  }
  await made;
  return { name, aliases: [] };
}
