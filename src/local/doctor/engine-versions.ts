/** The first version with BuildKit in the engine and API 1.41, which davit uses. */
export const MIN_MAJOR = 20;
/** The first Podman whose compatible API has API 1.41. */
export const MIN_PODMAN = 4;
