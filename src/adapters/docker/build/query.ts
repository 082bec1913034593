/** The query of `POST /build`, for BuildKit and for Podman. Pure. */
import type { BuildRequest } from '../../ports.ts';

/** Parameters that every engine accepts. */
const commonQuery = (request: BuildRequest): Record<string, string> => ({
  t: request.tag,
  dockerfile: request.dockerfile,
  platform: request.platform,
  rm: '1',
  forcerm: '1',
  buildargs: JSON.stringify(request.args),
  labels: JSON.stringify(request.labels),
  ...(request.pullBases && { pull: '1' }),
  ...(request.target !== undefined && { target: request.target }),
});

/** Is put before the id of each cache mount. */
const CACHE_MOUNTS = 'BUILDKIT_CACHE_MOUNT_NS';

/** For BuildKit. */
export function buildQuery(request: BuildRequest, session: string): Record<string, string> {
  const { cacheMounts, inlineCache } = request;
  const own = request.args[CACHE_MOUNTS];
  const args = {
    ...request.args,
    ...(inlineCache && { BUILDKIT_INLINE_CACHE: '1' }),
    // What the file names divides further, and cannot lead out.
    ...(cacheMounts !== undefined && { [CACHE_MOUNTS]: own ? `${cacheMounts}/${own}` : cacheMounts }),
  };
  return {
    ...commonQuery({ ...request, args }),
    version: '2',
    cachefrom: JSON.stringify(request.cacheFrom),
    session,
  };
}

/**
 * For Podman. `layers: 0` turns its cache off: the cache ignores the platform, so the image could have the wrong
 * architecture (seen with 4.3: `FROM scratch` and a `COPY`).
 */
export const podmanBuildQuery = (request: BuildRequest): Record<string, string> => ({
  ...commonQuery(request),
  layers: '0',
});
