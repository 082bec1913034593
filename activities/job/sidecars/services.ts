/**
 * Services of a job: on its network under their aliases, probed on their exposed ports until they answer. As
 * in GitLab, a service that does not answer causes a warning with its last lines, not a failure: the script
 * decides.
 */
import type { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { DavitError } from '../../../src/errors.ts';
import { platformText, type ServiceSpec } from '../../../src/plan/model/spec.ts';
import { put, ROOT_OWNER } from '../../../src/utils/tar.ts';
import { bytesOf } from '../../runtime/tar.ts';
import { isPrivilegedService, limitsOf } from '../context/rights.ts';
import { ensureImage } from '../container/image.ts';
import type { Job } from '../context/job.ts';
import { warning } from '../../runtime/log/log-lines.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { useOf } from '../../runtime/spec.ts';
import { awaitReady, logTail } from '../container/probe.ts';
import { isImageFault } from '../container/verdict.ts';
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

/** Its container. */
export const serviceName = (attempt: string, index: number): string => `${attempt}-svc-${index}`;

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
    { ...service, platform, ask: job.spec, use: useOf(job.spec, job.input) },
    { signal: lease.signal, say: (text) => starting.notes.push(text) },
  );
  const container = serviceName(job.name, index);
  const { env, files } = request.environments.services[index] ?? { env: [], files: {} };
  await deps.engine.createContainer({
    name: container,
    image: image.id,
    platform: platformText(image.platform),
    labels: { ...labels, [LABELS.kind]: 'service' },
    entrypoint: service.entrypoint,
    command: service.command,
    user: service.user,
    env: [...env, ...Object.keys(files).map((name) => `${name}_FILE=/${SECRETS}/${name}`)],
    network: 'name' in network ? { ...network, aliases: service.aliases } : network,
    privileged: isPrivilegedService(job.spec, deps.worker.config),
    ...limitsOf(job.spec, deps.worker.config),
    volumes: [],
    logMaxBytes: deps.facts.config.limits.log_bytes,
  });
  if (Object.keys(files).length > 0) await deps.engine.upload(container, secretsTar(files));
  await startNamed(deps, container, service.name);
  starting.notes.push(`Service ${service.name} as ${service.aliases.join(', ')}`);
  return { container, image: service.name, ports: image.exposedPorts };
}

/** A service that cannot begin is told by its name: the error of the engine could be about any container. */
async function startNamed({ engine }: Job['deps'], container: string, service: string): Promise<void> {
  try {
    await engine.startContainer(container);
  } catch (error) {
    if (!(error instanceof DavitError) || !isImageFault(error)) throw error;
    throw new DavitError('job/service', `The service ${service} cannot be started: ${error.message}`, {
      cause: error,
    });
  }
}

/** Below the root of the service's container. */
const SECRETS = 'davit/secrets';

/** The user that the image changes to reads them too. */
function secretsTar(files: Readonly<Record<string, string>>): Readable {
  const archive = pack();
  const fill = async (): Promise<void> => {
    for (const name of ['davit', SECRETS])
      await put(archive, { ...ROOT_OWNER, name: `${name}/`, type: 'directory', mode: 0o755 });
    for (const [name, value] of Object.entries(files))
      await put(archive, { ...ROOT_OWNER, name: `${SECRETS}/${name}`, mode: 0o444 }, value);
    archive.finalize();
  };
  fill().catch((error: unknown) => archive.destroy(error instanceof Error ? error : undefined));
  return bytesOf(archive);
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
    if (tail !== '') job.log.quote(tail);
  }
}
