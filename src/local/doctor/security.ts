/** `davit doctor --security`: the effect of this version's defaults on the current installation file. */
import { isLoopback } from '../../adapters/text.ts';
import type { Settings } from '../../config.ts';
import {
  LOCAL_TARGET,
  type Installation,
  type InstallationProject,
  type WorkerConfig,
} from '../../installation.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { ListedWorkerToken } from '../../server/api.ts';
import { SHARED_TOKEN } from '../../server/workers/worker-tokens.ts';
import { ownConfig } from '../processes.ts';
import { askEngine } from '../setup/docker.ts';
import { readInstallation } from '../setup/installation.ts';
import { readWorkerConfig } from '../../../workers/parts/worker-config.ts';
import { acceptedVersions } from './accepted-versions.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';
import { versionFindings } from './engine.ts';

export async function examineSecurity(
  settings: Settings,
  workers: () => Promise<WorkerReport[]>,
  tokens: () => Promise<readonly ListedWorkerToken[]>,
): Promise<Finding[]> {
  return finding('security', async () => {
    const { installation } = await readInstallation(settings);
    // Without a server there is no worker list to compare with; the file has the rest.
    const fleet = await workers().catch(() => undefined);
    const worker = await readWorkerConfig(ownConfig(settings));
    // Without a server, or for a user who is not an operator, the list is unknown.
    const workerTokens = await tokens().catch(() => undefined);
    const known = { fleet, worker, workerTokens };
    return [
      ...(await engineVersions(settings)),
      ...temporalFindings(settings),
      ...securityFindings(installation, known),
    ];
  });
}

/** Nothing where there is no engine: a server needs none. */
async function engineVersions(settings: Settings): Promise<Finding[]> {
  try {
    const { engine, info } = await askEngine(settings);
    await engine.close();
    const found = versionFindings(info, await acceptedVersions(settings));
    return found.filter((one) => one.verdict !== 'ok');
  } catch {
    return []; // `davit doctor` says what is wrong with it
  }
}

/** Undefined: not known. */
interface Workers {
  fleet?: readonly WorkerReport[];
  /** `worker.yml` of this machine. */
  worker?: WorkerConfig;
  workerTokens?: readonly ListedWorkerToken[] | undefined;
}

/** Pure. */
export function securityFindings(
  installation: Installation,
  { fleet, worker, workerTokens }: Workers = {},
): Finding[] {
  const found = [
    ...installation.projects.flatMap((project) => projectFindings(project, installation)),
    ...imageFindings(installation),
    ...forkWorkerFindings(installation, fleet),
    ...installation.targets.flatMap(targetFindings),
    ...signalFindings(installation),
    ...registryFindings(installation),
    ...sharedTokenFindings(workerTokens ?? []),
    ...plainHttpFindings(installation),
    ...(worker ? rightsFindings(worker) : []),
  ];
  return found.length > 0
    ? found
    : [ok('security', 'No default of this version changes what this installation does.')];
}

function projectFindings(project: InstallationProject, { users }: Installation): Finding[] {
  const name = `project ${project.name}`;
  const found: Finding[] = [];
  const isFormer =
    project.protected_branches === undefined && project.protected_refs.join() !== 'main,master';
  if (isFormer)
    found.push(
      warn(
        name,
        `protected_refs (${project.protected_refs.join(', ')}) protects branches only; tags of these names are not protected any more.`,
        'Rename protected_refs to protected_branches, and name protected tags under protected_tags.',
      ),
    );
  if (users.some((user) => user.role === 'developer') && project.start_protected.join() === 'operator')
    found.push(
      warn(
        name,
        'Developers may not start or retry pipelines of protected refs by API or command line; a push starts them as before.',
        'Where they should: start_protected: [developer].',
      ),
    );
  if (project.forge !== 'none' && project.fork_pipelines === 'ask')
    found.push(
      warn(
        name,
        'Pipelines of forks wait until a developer or operator approves the job "run this fork".',
        'Approve with davit approve, or set fork_pipelines to run or off.',
      ),
    );
  return found;
}

/** Where one registry has several projects, what one of them took from another ends. */
function imageFindings({ projects }: Installation): Finding[] {
  if (projects.length < 2 || projects.some(({ images_to, push_to }) => images_to.length + push_to.length > 0))
    return [];
  return [
    warn(
      'images',
      'A job uses no image of another project in the default registry, and pushes to its own project only.',
      'A project that gives its images: images_to. One that pushes elsewhere: push_to.',
    ),
  ];
}

function forkWorkerFindings(
  { projects }: Installation,
  fleet: readonly WorkerReport[] | undefined,
): Finding[] {
  const takesForks = projects.some((one) => one.forge !== 'none' && one.fork_pipelines !== 'off');
  if (!takesForks || fleet?.some((worker) => worker.forks)) return [];
  return [
    warn(
      'workers for forks',
      fleet
        ? 'No worker takes jobs of forks, so they wait.'
        : 'Jobs of forks wait for a worker with forks: true.',
      'Set forks: true in the configuration of a worker on a machine without secrets (davit worker --config).',
    ),
  ];
}

function targetFindings(target: Installation['targets'][number]): Finding[] {
  if (target.name === LOCAL_TARGET || target.refs !== 'protected') return [];
  return [
    warn(
      `target ${target.name}`,
      'Only protected refs deploy to it, and only to services that davit made for the same project.',
      'Other refs: refs: any, or a list. Services that stand there already: adopt: true until they are taken over.',
    ),
  ];
}

/** What jobs of this worker could do before: reach everything, and have rights on every branch. */
function rightsFindings({ devices, egress, privileged_services: privileged }: WorkerConfig): Finding[] {
  const tags = Object.keys(devices).filter((tag) => devices[tag]?.refs === 'protected');
  return [
    ...(egress !== 'unfiltered' && egress.allow.length === 0
      ? [
          warn(
            'egress of jobs',
            'Jobs do not reach private addresses and ports of their machine any more.',
            'List what they need in worker.yml: egress: { allow: [git.internal:443, 10.1.0.0/16] }.',
          ),
        ]
      : []),
    ...(tags.length > 0
      ? [
          warn(
            'devices',
            `Only jobs of protected refs get the devices of ${tags.join(', ')}; jobs of other branches fail.`,
            `For every branch, in worker.yml: devices: { ${tags[0]}: { paths: [...], refs: branches } }.`,
          ),
        ]
      : []),
    ...(privileged === 'protected'
      ? [
          warn(
            'privileged_services',
            'Only services of protected refs are privileged.',
            'For every branch, in worker.yml: privileged_services: branches. Such a service controls the machine.',
          ),
        ]
      : []),
  ];
}

function registryFindings({ registry_auth, registries }: Installation): Finding[] {
  if (registry_auth === 'tokens' || (!registry_auth && registries.some((one) => one.default && one.password)))
    return [];
  const [found, remedy] =
    registry_auth === 'off'
      ? [
          "Everybody who reaches davit's own registry reads, moves and removes every image.",
          'Deploy each service once, then write registry_auth: tokens and restart davit.',
        ]
      : [
          "davit's own registry asks for tokens. Services that earlier versions have deployed have none to pull again with.",
          'Begin with registry_auth: off and deploy each of them again; then write registry_auth: tokens.',
        ];
  return [warn('registry_auth', found, remedy)];
}

/** What this process would say to Temporal. */
export function temporalFindings(settings: Pick<Settings, 'temporalAddress' | 'temporalTls'>): Finding[] {
  const { temporalAddress: address, temporalTls } = settings;
  if (address === undefined || temporalTls || isLoopback(address.replace(/:\d+$/, ''))) return [];
  return [
    warn(
      'temporal',
      `${address} is called without TLS: who reaches it controls every pipeline.`,
      'Give Temporal a certificate (davit ca issue temporal --for temporal), and set TEMPORAL_TLS_SERVER_CA_CERT_PATH, TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH of server and workers.',
    ),
  ];
}

function sharedTokenFindings(tokens: readonly ListedWorkerToken[]): Finding[] {
  const shared = tokens.find((one) => one.name === SHARED_TOKEN);
  if (!shared) return [];
  const used =
    shared.usedAt === undefined
      ? 'It was not used since the server started.'
      : `It was last used at ${new Date(shared.usedAt).toISOString()}.`;
  return [
    warn(
      'shared worker token',
      `One token, which workers of earlier versions share, opens logs, caches and records of every job. ${used}`,
      'Give each machine its own: davit worker token create NAME. Then: davit worker token revoke shared.',
    ),
  ];
}

const plainHttpFindings = ({ listen, tls, url }: Installation): Finding[] => [
  ...(tls || listen.insecure || isLoopback(listen.host)
    ? []
    : [
        fail(
          'listen',
          `The server does not start any more: it would listen on ${listen.host} without TLS.`,
          'Give it a certificate (tls: { cert, key }; davit ca makes one), listen on 127.0.0.1 behind a proxy with TLS, or accept it: listen: { insecure: true }.',
        ),
      ]),
  ...(url?.startsWith('http:') && URL.canParse(url) && !isLoopback(new URL(url).hostname)
    ? [
        warn(
          'url',
          `Tokens and secrets go to ${url} without TLS: everybody in that network can read them.`,
          'Use https: with a certificate of the server (tls), or by a proxy in front of it.',
        ),
      ]
    : []),
];

const signalFindings = ({ approve_by_signal, approval_keys }: Installation): Finding[] =>
  approve_by_signal
    ? [
        warn(
          'approve_by_signal',
          approval_keys.length > 0
            ? `${approval_keys.map((one) => one.name).join(', ')} can open gates of pipeline files by a signed signal of Temporal.`
            : 'No approval by signal counts, because approval_keys names no key.',
          'Set approve_by_signal: false, or name keys of operators under approval_keys.',
        ),
      ]
    : [];
