/**
 * The properties of an engine that calls depend on: the API version that both sides support, and where it
 * keeps images. Pure.
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { checked } from './checked.ts';

/** The API versions that davit supports: Docker 20.10 to 29. */
export const OLDEST_API = '1.41';
export const NEWEST_API = '1.56';
/**
 * The first version whose inspection accepts a platform (Docker 28.2). Without it, one platform of a tag
 * cannot be selected.
 */
const PLATFORM_API = '1.49';
/** `DriverStatus` of Docker's containerd image store. */
const CONTAINERD_DRIVER = 'io.containerd.snapshotter.v1';

export interface EngineTraits {
  /** Negotiated: the newest API version that both sides support. */
  api: string;
  /** It is Podman, through its Docker API. */
  podman: boolean;
  /**
   * `classic`: a tag is one image of one platform, and its id is the digest of its configuration.
   * `containerd`: a tag is what the registry has, often an index, so each call for one platform has to name
   * it.
   */
  store: 'classic' | 'containerd';
  /** An image can be inspected by platform. */
  inspectsPlatform: boolean;
}

const version = z.object({
  ApiVersion: z.string(),
  MinAPIVersion: z.string().nullish(),
  Version: z.string().nullish(),
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});
const info = z.object({ DriverStatus: z.array(z.array(z.string())).nullish() });

/**
 * From the responses of `GET /version` and `GET /info`. Throws `engine/version` if there is no common API
 * version.
 */
export function engineTraits(versionResponse: unknown, infoResponse: unknown, address: string): EngineTraits {
  const found = checked(version, versionResponse, 'read the version of the engine');
  const api = negotiated(found.ApiVersion, found.MinAPIVersion ?? OLDEST_API);
  if (api === undefined)
    throw new DavitError(
      'engine/version',
      `The engine at ${address} (${found.Version ?? 'unknown version'}) supports API ${found.MinAPIVersion ?? '?'} to ${found.ApiVersion}; davit needs ${OLDEST_API} to ${NEWEST_API}.`,
    );
  const status = checked(info, infoResponse, 'read the information of the engine').DriverStatus ?? [];
  const containerd = status.some(([name, value]) => name === 'driver-type' && value === CONTAINERD_DRIVER);
  return {
    api,
    podman: isPodman(versionResponse),
    store: containerd ? 'containerd' : 'classic',
    inspectsPlatform: minor(api) >= minor(PLATFORM_API),
  };
}

/** From the response of `GET /version`. */
export function isPodman(versionResponse: unknown): boolean {
  const found = version.safeParse(versionResponse);
  return found.success && (found.data.Components ?? []).some(({ Name }) => /podman/i.test(Name));
}

/** The newest version that both know; undefined when there is none. */
function negotiated(newest: string, oldest: string): string | undefined {
  if (minor(newest) < minor(OLDEST_API) || minor(oldest) > minor(NEWEST_API)) return undefined;
  return minor(newest) < minor(NEWEST_API) ? newest : NEWEST_API;
}

/** Every version of the Engine API is `1.N`. */
const minor = (api: string): number => Number(/^1\.(\d+)/.exec(api)?.[1] ?? Number.NaN);

/** True when `api` is at least `wanted`. */
export const hasApi = (api: string, wanted: string): boolean => minor(api) >= minor(wanted);
