/** The engine's responses as davit's types, validated. Pure. */
import { z } from 'zod';
import type { Arch } from '../../plan/model/ids.ts';
import type { Platform } from '../../plan/model/outcome.ts';
import type { ContainerState, EngineInfo, ImageInfo, ListedImage } from '../ports.ts';

const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const strings = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
/** RFC 3339 to epoch ms; the engine's zero time is 0. */
const instant = text.transform((value) => Math.max(0, Date.parse(value) || 0));
const STATUS = z.enum(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']);
const networks = z
  .object({ Networks: z.record(z.string(), z.object({ IPAddress: text })).nullish() })
  .nullish()
  .transform((value) =>
    Object.fromEntries(
      Object.entries(value?.Networks ?? {}).flatMap(([name, { IPAddress }]) =>
        IPAddress === '' ? [] : [[name, IPAddress]],
      ),
    ),
  );

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: instant,
  State: z.object({
    Status: STATUS,
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Error: text,
    StartedAt: instant,
    FinishedAt: instant,
  }),
  Config: z.object({ Image: text, Labels: labels }),
  NetworkSettings: networks,
});

/** Response of `GET /containers/X/json`. */
export function containerState(response: unknown): ContainerState {
  const found = inspected.parse(response);
  return {
    id: found.Id,
    name: found.Name.replace(/^\//, ''),
    status: found.State.Status,
    exitCode: found.State.ExitCode,
    oomKilled: found.State.OOMKilled,
    error: found.State.Error,
    startedAt: found.State.StartedAt,
    finishedAt: found.State.FinishedAt,
    image: found.Config.Image,
    labels: found.Config.Labels,
    createdAt: found.Created,
    addresses: found.NetworkSettings,
  };
}

const listed = z.array(
  z.object({
    Id: z.string(),
    Names: strings,
    Image: text,
    Created: z.number(),
    State: STATUS,
    Status: text,
    Labels: labels,
    NetworkSettings: networks,
  }),
);

/**
 * Response of `GET /containers/json`: values that a list does not have (times of start and end, memory) are 0
 * or false.
 */
export function containerList(response: unknown): ContainerState[] {
  return listed.parse(response).map((found) => ({
    id: found.Id,
    name: found.Names[0]?.replace(/^\//, '') ?? found.Id,
    status: found.State,
    exitCode: Number(/^Exited \((\d+)\)/.exec(found.Status)?.[1] ?? 0),
    oomKilled: false,
    error: '',
    startedAt: 0,
    finishedAt: 0,
    image: found.Image,
    labels: found.Labels,
    createdAt: found.Created * 1000,
    addresses: found.NetworkSettings,
  }));
}

const image = z.object({
  Id: z.string(),
  Os: text,
  Architecture: z.string(),
  Variant: text,
  Size: z.number(),
  RepoDigests: strings,
  /** Since API 1.53; in the containerd store, where local images have digests as well. */
  Identity: z
    .object({ Pull: z.array(z.unknown()).nullish(), Build: z.array(z.unknown()).nullish() })
    .nullish(),
  Config: z
    .object({
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      User: text,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: text,
    })
    .nullish(),
});

/** Response of `GET /images/X/json`. */
export function imageInfo(response: unknown): ImageInfo {
  const found = image.parse(response);
  return {
    id: found.Id,
    platform: platform(found.Architecture, found.Variant),
    sizeBytes: found.Size,
    repoDigests: found.RepoDigests,
    madeHere: isMadeHere(found),
    exposedPorts: Object.keys(found.Config?.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10)),
    user: found.Config?.User ?? '',
    entrypoint: found.Config?.Entrypoint ?? [],
    command: found.Config?.Cmd ?? [],
    workdir: found.Config?.WorkingDir ?? '',
  };
}

const isMadeHere = ({ Identity, RepoDigests }: z.infer<typeof image>): boolean =>
  Identity
    ? (Identity.Pull ?? []).length === 0 && (Identity.Build ?? []).length > 0
    : RepoDigests.length === 0;

const listedImages = z.array(z.object({ Id: z.string(), RepoTags: strings, Labels: labels }));

/** Response of `GET /images/json`; `<none>:<none>` means an image without a tag. */
export const imageList = (response: unknown): ListedImage[] =>
  listedImages.parse(response).flatMap(({ Id, RepoTags, Labels }) => {
    const tags = RepoTags.filter((tag) => !tag.includes('<none>'));
    return tags.length === 0 ? [] : [{ id: Id, tags, labels: Labels }];
  });

/**
 * An engine's or image's architecture (GOARCH, or uname's name) as davit's platform; an unknown one counts as
 * amd64.
 */
export function platform(architecture: string, variant: string): Platform {
  const arch = archOf(architecture);
  if (arch === 'amd64') return { os: 'linux', architecture: 'amd64' };
  if (arch === 'arm64') return { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const known = variant === 'v6' || variant === 'v7' || variant === 'v8' ? variant : undefined;
  return { os: 'linux', architecture: 'arm', ...(known && { variant: known }) };
}

export function archOf(word: string): Arch {
  if (/^(?:arm64|aarch64)/.test(word)) return 'arm64';
  if (/^arm/.test(word)) return 'arm32';
  return 'amd64';
}

const engineInfo = z.object({
  ID: text,
  Name: text,
  ServerVersion: text,
  Driver: text,
  NCPU: z.number(),
  MemTotal: z.number(),
  LiveRestoreEnabled: z.boolean().default(false),
  SystemTime: instant,
  Swarm: z.object({ LocalNodeState: text, ControlAvailable: z.boolean().default(false) }).nullish(),
});
const engineVersion = z.object({ Arch: z.string() });

/**
 * Responses of `GET /info` and `GET /version`. The architecture is the version's: `/info` has the kernel's,
 * and a board may run a 32-bit system on a 64-bit kernel.
 */
export function engineInfoOf(info: unknown, version: unknown, address: string): EngineInfo {
  const found = engineInfo.parse(info);
  const active = found.Swarm?.LocalNodeState === 'active';
  return {
    id: found.ID,
    address,
    version: found.ServerVersion,
    arch: archOf(engineVersion.parse(version).Arch),
    hostName: found.Name,
    swarm: !active ? 'inactive' : found.Swarm?.ControlAvailable ? 'manager' : 'worker',
    storageDriver: found.Driver,
    cpus: found.NCPU,
    memoryBytes: found.MemTotal,
    liveRestore: found.LiveRestoreEnabled,
    time: found.SystemTime,
  };
}

const volume = z.object({ Name: z.string(), Labels: labels, CreatedAt: instant });
const network = z.object({ Id: z.string(), Name: z.string(), Labels: labels, Created: instant });

export interface Listed {
  name: string;
  labels: Record<string, string>;
  createdAt: number;
}
export const volumeOf = (response: unknown): Listed => {
  const found = volume.parse(response);
  return { name: found.Name, labels: found.Labels, createdAt: found.CreatedAt };
};
export const volumeList = (response: unknown): Listed[] =>
  (z.object({ Volumes: z.array(z.unknown()).nullish() }).parse(response).Volumes ?? []).map(volumeOf);
export const networkList = (response: unknown): (Listed & { id: string })[] =>
  z
    .array(network)
    .parse(response)
    .map((found) => ({ id: found.Id, name: found.Name, labels: found.Labels, createdAt: found.Created }));
