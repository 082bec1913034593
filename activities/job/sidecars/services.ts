/**
 * Services of a job: on its network under their aliases, probed on their exposed ports until they answer. As
 * in GitLab, a service that does not answer causes a warning with its last lines, not a failure: the script
 * decides.
 */
import { DavitError } from '../../../src/errors.ts';
import { platformText, type ServiceSpec } from '../../../src/plan/model/spec.ts';
import { ensureImage } from '../container/image.ts';
import type { Job } from '../context/job.ts';
import { warning } from '../../runtime/log/log-lines.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { awaitReady, logTail } from '../container/probe.ts';
import { type SidecarRequest, type Sidecars } from './types.ts';

/** GitLab's `wait_for_services_timeout`. */
const READY_MS = 30_000;

export async function startServices(
  job: Job,
  request: SidecarRequest,
  network: Sidecars['network'],
): Promise<Pick<Sidecars, 'notes' | 'ready'>> {
  const notes: string[] = [];
  const started = await Promise.all(
    job.spec.services.map((service, index) => startService(job, { service, index, request, network, notes })),
  );
  return {
    notes,
    ready: async () => {
      await Promise.all(started.map((one) => untilReady(job, one)));
    },
  };
}

interface ServiceStart {
  service: ServiceSpec;
  index: number;
  request: SidecarRequest;
  network: Sidecars['network'];
  notes: string[];
}
interface Started {
  container: string;
  image: string;
  ports: number[];
}

async function startService(job: Job, starting: ServiceStart): Promise<Started> {
  const { deps, lease, labels } = job;
  const { service, index, request, network } = starting;
  const platform = service.platform ?? request.platform;
  const image = await ensureImage(
    deps,
    { ...service, platform, ask: job.spec },
    { signal: lease.signal, say: (text) => starting.notes.push(text) },
  );
  const container = `${job.name}-svc-${index}`;
  await deps.engine.createContainer({
    name: container,
    image: image.id,
    platform: platformText(image.platform),
    labels: { ...labels, [LABELS.kind]: 'service' },
    entrypoint: service.entrypoint,
    command: service.command,
    user: service.user,
    env: request.environments.services[index] ?? [],
    network: 'name' in network ? { ...network, aliases: service.aliases } : network,
    privileged: deps.worker.config.privileged_services && !job.spec.fork,
    volumes: [],
    logMaxBytes: deps.facts.config.limits.log_bytes,
  });
  await deps.engine.startContainer(container);
  starting.notes.push(`Service ${service.name} as ${service.aliases.join(', ')}`);
  return { container, image: service.name, ports: image.exposedPorts };
}

async function untilReady(job: Job, { container, image, ports }: Started): Promise<void> {
  const [port] = [...ports].sort((a, b) => a - b);
  if (port === undefined) return;
  try {
    await awaitReady(job, { container, helper: `${container}-probe`, port, timeoutMs: READY_MS });
  } catch (error) {
    if (!(error instanceof DavitError) || job.lease.signal.aborted) throw error;
    job.log.say(warning(`service ${image} probably did not start properly. ${error.message}`));
    const tail = await logTail(job, container);
    if (tail !== '') job.log.say(tail);
  }
}
