/** The engine's responses as davit's types, validated. Pure. */
import { z } from 'zod';
import type { Arch } from '../../plan/model/ids.ts';
import type { Platform } from '../../plan/model/outcome.ts';
import type { EngineInfo, ImageInfo, ListedImage } from '../ports.ts';
import { checked } from './checked.ts';
import { shortName, instant, labels, strings, text } from './fields.ts';
import { isPodman, type EngineTraits } from './traits.ts';

const image = z.object({
  Id: z.string(),
  Os: text,
  Architecture: z.string(),
  Variant: text,
  Size: z.number(),
  RepoTags: strings,
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

/** Of `53/udp` and `53/tcp` only the second: nothing else can be asked whether it listens. */
const tcpPorts = (ports: readonly string[]): number[] =>
  ports.flatMap((port) => (/^\d+(?:\/tcp)?$/i.test(port) ? [Number.parseInt(port, 10)] : []));

/** From the response of `GET /images/X/json`. */
export function imageInfo(response: unknown, action = 'inspect an image'): ImageInfo {
  const found = checked(image, response, action);
  return {
    id: found.Id,
    platform: platform(found.Architecture, found.Variant),
    sizeBytes: found.Size,
    tags: found.RepoTags.filter((tag) => !tag.includes('<none>')).map(shortName),
    repoDigests: found.RepoDigests.filter((one) => !one.includes('<none>')).map(shortName),
    madeHere: isMadeHere(found),
    exposedPorts: tcpPorts(Object.keys(found.Config?.ExposedPorts ?? {})),
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

/** From the response of `GET /images/json`, where `<none>:<none>` stands for an image without a tag. */
export const imageList = (response: unknown): ListedImage[] =>
  checked(listedImages, response, 'list images').flatMap(({ Id, RepoTags, Labels }) => {
    const tags = RepoTags.filter((tag) => !tag.includes('<none>')).map(shortName);
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
  OperatingSystem: text,
  Architecture: text,
  Driver: text,
  NCPU: z.number(),
  MemTotal: z.number(),
  LiveRestoreEnabled: z.boolean().default(false),
  SystemTime: instant,
  SecurityOptions: strings,
  Plugins: z.object({ Authorization: strings }).nullish(),
  Swarm: z.object({ LocalNodeState: text, ControlAvailable: z.boolean().default(false) }).nullish(),
});
const engineVersion = z.object({
  Arch: z.string(),
  Components: z
    .array(z.object({ Name: text, Version: text, Details: z.object({ GitCommit: text }).nullish() }))
    .nullish(),
});

/** Docker names it `runc`; Podman `OCI Runtime (runc)`, with the whole answer of `runc --version`. */
function runtimeOf({ Components }: z.infer<typeof engineVersion>): EngineInfo['runtime'] {
  for (const { Name, Version, Details } of Components ?? []) {
    const name = Name === 'runc' ? Name : /^OCI Runtime \((\w+)\)$/.exec(Name)?.[1];
    const version = /\d[^\s]*/.exec(Version)?.[0];
    if (name !== undefined && version !== undefined)
      return { name, version, build: Details?.GitCommit ?? '' };
  }
  return undefined;
}

/**
 * Responses of `GET /info` and `GET /version`. The architecture is the version's: `/info` has the kernel's,
 * and a board may run a 32-bit system on a 64-bit kernel.
 */
export function engineInfoOf(
  info: unknown,
  version: unknown,
  { address, api, store }: { address: string } & Partial<Pick<EngineTraits, 'api' | 'store'>>,
): EngineInfo {
  const action = 'read the version and information of the engine';
  const found = checked(engineInfo, info, action);
  const versions = checked(engineVersion, version, action);
  const runtime = runtimeOf(versions);
  const active = found.Swarm?.LocalNodeState === 'active';
  return {
    id: found.ID,
    address,
    kind: isPodman(version) ? 'podman' : 'docker',
    rootless: found.SecurityOptions.some((option) => /\bname=rootless\b/.test(option)),
    version: found.ServerVersion,
    ...(api !== undefined && { api }),
    ...(store && { store }),
    os: found.OperatingSystem,
    machine: found.Architecture,
    arch: archOf(versions.Arch),
    hostName: found.Name,
    swarm: !active ? 'inactive' : found.Swarm?.ControlAvailable ? 'manager' : 'worker',
    storageDriver: found.Driver,
    cpus: found.NCPU,
    memoryBytes: found.MemTotal,
    liveRestore: found.LiveRestoreEnabled,
    ...(runtime && { runtime }),
    authorizationPlugins: (found.Plugins?.Authorization ?? []).length > 0,
    time: found.SystemTime,
  };
}

const volume = z.object({ Name: z.string(), Labels: labels, CreatedAt: instant });
const volumes = z.object({ Volumes: z.array(z.unknown()).nullish() });
const network = z.object({ Id: z.string(), Name: z.string(), Labels: labels, Created: instant });

export interface Listed {
  name: string;
  labels: Record<string, string>;
  createdAt: number;
}
export const volumeOf = (response: unknown): Listed => {
  const found = checked(volume, response, 'inspect a volume');
  return { name: found.Name, labels: found.Labels, createdAt: found.CreatedAt };
};
export const volumeList = (response: unknown): Listed[] =>
  (checked(volumes, response, 'list volumes').Volumes ?? []).map(volumeOf);
export const networkList = (response: unknown): (Listed & { id: string })[] =>
  checked(z.array(network), response, 'list networks').map((found) => ({
    id: found.Id,
    name: found.Name,
    labels: found.Labels,
    createdAt: found.Created,
  }));

const podmanNetwork = z.object({ id: z.string(), name: z.string(), labels, created: instant });
/** From the response of Podman's `GET /libpod/networks/json`. */
export const podmanNetworkList = (response: unknown): ReturnType<typeof networkList> =>
  checked(z.array(podmanNetwork), response, 'list networks').map(({ created, ...found }) => ({
    ...found,
    createdAt: created,
  }));
