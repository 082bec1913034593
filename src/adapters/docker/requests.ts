/**
 * davit's requests as the engine's JSON. Pure. `hostConfig` is an allow list: no pipeline can set a field of
 * HostConfig that is not listed here.
 */
import { containerLabels } from '../../plan/model/labels.ts';
import type { ContainerCreate } from '../ports.ts';

/**
 * The envelope of a json-file record is about as large as a short line: `{"log":"…","stream":…,"time":…}`.
 */
const RECORD_OVERHEAD = 2;
/** Two files: with one, following hangs at rotation (moby#37646). */
const LOG_FILES = '2';
export const ENGINE_SOCKET = '/var/run/docker.sock';

/**
 * Podman has one log file, which it empties when it is full; what davit has not read by then is lost. So the file is
 * large enough for a whole log of short lines, each with a prefix of 45 bytes.
 */
const PODMAN_OVERHEAD = 8;
const PODMAN_LEAST = 64 * 1024 * 1024;

/** With raw sockets a container could forge packets of its neighbours on a bridge. */
const RAW = ['NET_RAW'];
const CPU = 1e9;

/** Body of `POST /containers/create`. */
export function containerBody(create: ContainerCreate, podman = false): Record<string, unknown> {
  const network = create.network;
  const named = network && 'name' in network ? network : undefined;
  return {
    Image: create.image,
    Labels: containerLabels(create.labels),
    ...(create.entrypoint && { Entrypoint: create.entrypoint }),
    ...(create.command && { Cmd: create.command }),
    ...(create.user && { User: create.user }),
    ...(create.workdir && { WorkingDir: create.workdir }),
    ...(create.env && { Env: create.env }),
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OpenStdin: false,
    Tty: false,
    HostConfig: hostConfig(create, podman),
    ...(named && {
      NetworkingConfig: { EndpointsConfig: { [named.name]: { Aliases: named.aliases } } },
    }),
  };
}

function hostConfig(create: ContainerCreate, podman: boolean): Record<string, unknown> {
  return {
    AutoRemove: false,
    RestartPolicy: { Name: 'no' },
    Privileged: create.privileged === true,
    Init: create.init === true,
    NetworkMode: create.firewall ? 'host' : networkMode(create.network),
    Mounts: create.volumes.map(({ volume, path }) => ({ Type: 'volume', Source: volume, Target: path })),
    Binds: binds(create),
    ...(create.builder && { MaskedPaths: [], ReadonlyPaths: [] }),
    Devices: (create.devices ?? []).map(device),
    ExtraHosts: create.hosts ?? [],
    ...capabilities(create),
    ...security(create),
    ...(create.memoryBytes && { Memory: create.memoryBytes, MemorySwap: create.memoryBytes }),
    ...(create.cpus && { NanoCpus: Math.round(create.cpus * CPU) }),
    ...(create.pids && { PidsLimit: create.pids }),
    LogConfig: { Type: 'json-file', Config: podman ? podmanLog(create) : dockerLog(create) },
  };
}

const binds = ({ bindEngineSocket, firewall }: ContainerCreate): string[] => [
  ...(bindEngineSocket ? [`${ENGINE_SOCKET}:${ENGINE_SOCKET}`] : []),
  // In /run programs for the firewall wait for each other.
  ...(firewall ? ['/:/host:ro', '/run:/host/run'] : []),
];

/** Far less than privileged is enough for containers inside of one: no device of the machine. */
function capabilities({ privileged, firewall, builder }: ContainerCreate): Record<string, string[]> {
  if (firewall) return { CapAdd: ['NET_ADMIN', ...RAW] };
  if (builder) return { CapAdd: ['SYS_ADMIN'] };
  // Engines differ in what they make of both: a privileged container has everything.
  return privileged ? {} : { CapDrop: RAW };
}

function security({ noNewPrivileges, firewall, builder }: ContainerCreate): Record<string, unknown> {
  const options = [
    ...(noNewPrivileges ? ['no-new-privileges'] : []),
    // SELinux would keep the machine's own programs from it.
    ...(firewall ? ['label=disable'] : []),
    // runc mounts, and sets profiles of its own for what it starts.
    ...(builder ? ['seccomp=unconfined', 'apparmor=unconfined', 'label=disable'] : []),
  ];
  return {
    ...(options.length > 0 && { SecurityOpt: options }),
    ...(firewall && { UsernsMode: 'host' }),
  };
}

const dockerLog = ({ logMaxBytes }: ContainerCreate): Record<string, string> => ({
  'max-size': String(logMaxBytes * RECORD_OVERHEAD),
  'max-file': LOG_FILES,
});

const podmanLog = ({ logMaxBytes }: ContainerCreate): Record<string, string> => ({
  'max-size': String(Math.max(logMaxBytes * PODMAN_OVERHEAD, PODMAN_LEAST)),
});

function networkMode(network: ContainerCreate['network']): string {
  if (!network) return 'default';
  if ('name' in network) return network.name;
  return typeof network.mode === 'string' ? network.mode : `container:${network.mode.container}`;
}

/** `/dev/x`, `/dev/x:/dev/y` or `/dev/x:/dev/y:rw`, as in `docker run --device`. */
function device(text: string): Record<string, string> {
  const [host = '', inside = host, permissions = 'rwm'] = text.split(':');
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions };
}

/** Value of a `filters` query for labels. */
export const labelFilter = (labels: Record<string, string>): string =>
  JSON.stringify({ label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) });
