/**
 * What a job's containers may do beyond a plain container, and how much they may use. Only the file of the
 * worker gives rights, and never to a fork; a job can only ask for less than the limits.
 */
import type { ContainerCreate } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { GivenTo, WorkerConfig } from '../../../src/installation.ts';
import type { ApitestSpec, CommonSpec, ScriptSpec } from '../../../src/plan/model/spec.ts';
import type { JobDeps, JobWorker } from './deps.ts';

type Trust = Pick<CommonSpec, 'fork' | 'protectedRef'>;

const isGiven = (to: GivenTo, { fork, protectedRef }: Trust): boolean =>
  !fork && (to === 'branches' || (to === 'protected' && protectedRef));

/** A job that asks for a right and runs without it would only fail later. Throws `job/right`. */
export function mustHaveRights(
  spec: ScriptSpec | ApitestSpec,
  tags: readonly string[],
  { config, hostName }: Pick<JobWorker, 'config' | 'hostName'>,
): void {
  const check = (what: string, to: GivenTo, key: string): void => {
    if (isGiven(to, spec)) return;
    const setting = `${key}: ${spec.protectedRef ? 'protected' : 'branches'}`;
    throw new DavitError('job/right', `${hostName} gives ${what} ${receivers(to)}.`, {
      hint: spec.fork
        ? 'A fork never gets it.'
        : `An operator can give it in the worker.yml of ${hostName}: ${setting}.`,
    });
  };
  if (spec.kind === 'apitest' && spec.network === 'host')
    check('its own network (`network: host`)', config.host_network, 'host_network');
  for (const tag of tags) {
    const devices = config.devices[tag];
    if (devices) check(`the devices of tag ${tag}`, devices.refs, `devices: ${tag}: refs`);
  }
}

const receivers = (to: GivenTo): string =>
  ({
    none: 'to no job',
    protected: 'only to jobs of protected refs',
    branches: 'to no job of a fork',
  })[to];

/** Without a filter, only code that was reviewed runs. Throws `job/egress`. */
export async function mustBeFiltered(
  spec: Trust,
  { egressProblem, worker }: Pick<JobDeps, 'egressProblem' | 'worker'>,
): Promise<void> {
  const problem = await egressProblem();
  if (problem === undefined || (spec.protectedRef && !spec.fork)) return;
  throw new DavitError(
    'job/egress',
    `${worker.hostName} cannot limit what jobs reach, so it runs none of forks and unprotected refs. ${problem}`,
  );
}

type Rights = Pick<ContainerCreate, 'devices' | 'bindEngineSocket'>;

/** Rights of the container of the script alone. */
export function jobRights(
  spec: Pick<CommonSpec, 'fork' | 'protectedRef' | 'project'>,
  tags: readonly string[],
  { devices, engine_socket: socket }: WorkerConfig,
): Rights {
  const given = tags.flatMap((tag) => {
    const found = devices[tag];
    return found && isGiven(found.refs, spec) ? found.paths : [];
  });
  return {
    ...(given.length > 0 && { devices: given }),
    ...(socket.projects.includes(spec.project) && isGiven(socket.refs, spec) && { bindEngineSocket: true }),
  };
}

export const isPrivilegedService = (spec: Trust, config: WorkerConfig): boolean =>
  isGiven(config.privileged_services, spec);

export interface AskedLimits {
  memoryBytes?: number;
  cpus?: number;
}
type Limits = Pick<ContainerCreate, 'memoryBytes' | 'cpus' | 'pids' | 'noNewPrivileges'>;

/** Limits of each container of a job. A job may ask for less than the worker allows. */
export function limitsOf(spec: Trust, config: WorkerConfig, asked: AskedLimits = {}): Limits {
  const least = (...values: (number | undefined)[]): number | undefined => {
    const set = values.filter((value) => value !== undefined);
    return set.length > 0 ? Math.min(...set) : undefined;
  };
  const memoryBytes = least(config.memory, asked.memoryBytes);
  const cpus = least(config.cpus, asked.cpus);
  return {
    pids: config.pids,
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(cpus !== undefined && { cpus }),
    ...((spec.fork || config.no_new_privileges) && { noNewPrivileges: true }),
  };
}
