/** Containers of one engine. Each method is one call, except for the waits. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { platformText } from '../../plan/model/spec.ts';
import type { ContainerCreate, ContainerState, Engine } from '../ports.ts';
import { path, type EngineApi } from './api.ts';
import { checked } from './checked.ts';
import { containerList, containerState } from './container-state.ts';
import { inspectImage } from './images.ts';
import { containerBody, labelFilter } from './requests.ts';
import { codedStream } from '../../utils/coded-stream.ts';
import { retry } from '../../utils/retry.ts';

/** Timeout of one `wait` request: limits how long a dead connection goes unnoticed. */
const ASK_AGAIN_MS = 60_000;
const REMOVAL_MS = 30_000;

type Containers = Pick<
  Engine,
  | 'createContainer'
  | 'inspectContainer'
  | 'startContainer'
  | 'upload'
  | 'download'
  | 'waitContainer'
  | 'signalContainer'
  | 'removeContainer'
  | 'removeUnlessRunning'
  | 'listContainers'
>;

/** The container part of an Engine. */
export function containers(api: EngineApi): Containers {
  return {
    createContainer: (create) => createContainer(api, create),
    inspectContainer: (name) => inspectContainer(api, name),
    async startContainer(name) {
      await api.json({
        method: 'POST',
        path: path`/containers/${name}/start`,
        action: `start container ${name}`,
      });
    },
    async upload(name, tar, signal) {
      await api.json({
        method: 'PUT',
        path: path`/containers/${name}/archive`,
        query: { path: '/' },
        tar,
        signal,
        action: `copy files into container ${name}`,
      });
    },
    download: (name, inside, signal) => download(api, { name, inside, signal }),
    waitContainer: (name, signal) => waitContainer(api, name, signal),
    async signalContainer(name, signal) {
      await api.json({
        method: 'POST',
        path: path`/containers/${name}/kill`,
        query: { signal },
        action: `send ${signal} to container ${name}`,
      });
    },
    removeContainer: async (name) => void (await removeContainer(api, name, { force: '1' })),
    removeUnlessRunning: (name) => removeContainer(api, name, {}),
    async listContainers(labels) {
      const query = { all: '1', filters: labelFilter(labels) };
      return containerList(
        await api.json({ method: 'GET', path: path`/containers/json`, query, action: 'list containers' }),
      );
    },
  };
}

const created = z.object({ Id: z.string() });

async function createContainer(api: EngineApi, create: ContainerCreate): Promise<string> {
  const action = `create container ${create.name} of image ${create.image}`;
  const { podman } = await api.traits();
  // Podman does not check the platform of the image.
  if (podman && create.platform !== undefined) await requirePlatform(api, create.image, create.platform);
  const response = await api.json({
    method: 'POST',
    path: path`/containers/create`,
    query: { name: create.name, ...(create.platform && { platform: create.platform }) },
    body: containerBody(create, podman),
    action,
  });
  return checked(created, response, action).Id;
}

/** An image that does not exist is reported by the creation of the container. */
async function requirePlatform(api: EngineApi, image: string, platform: string): Promise<void> {
  const found = await inspectImage(api, image);
  if (!found || found.platform.architecture === platform.split('/')[1]) return;
  throw new DavitError(
    'engine/platform',
    `Image ${image} does not match the specified platform: wanted ${platform}, it is ${platformText(found.platform)}.`,
  );
}

/** Undefined if there is no container of that name. */
export async function inspectContainer(
  api: EngineApi,
  name: string,
  signal?: AbortSignal,
): Promise<ContainerState | undefined> {
  const action = `inspect container ${name}`;
  const response = await api.find({
    method: 'GET',
    path: path`/containers/${name}/json`,
    signal,
    action,
  });
  return response === undefined ? undefined : containerState(response, action);
}

export const containerGone = (name: string): DavitError =>
  new DavitError('engine/container-missing', `Container ${name} no longer exists.`);

/** Also of `link/.` where the link leads to a file, to nothing, or in a circle. */
const NOT_THERE =
  /could not find the file|no such file|not a directory|too many (?:levels of symbolic )?links/i;

async function download(
  api: EngineApi,
  ask: { name: string; inside: string; signal?: AbortSignal },
): Promise<Readable | undefined> {
  const call = {
    method: 'GET',
    path: path`/containers/${ask.name}/archive`,
    query: { path: ask.inside },
    signal: ask.signal,
    action: `read ${ask.inside} of container ${ask.name}`,
  } as const;
  let stream: Readable;
  try {
    stream = await api.stream(call);
  } catch (error) {
    if (error instanceof DavitError && NOT_THERE.test(error.message)) return undefined;
    throw error;
  }
  // A broken body must have an error code, like every other error of an engine.
  return codedStream(stream, (error) => toError(api.streamError(error, call)));
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

async function waitContainer(api: EngineApi, name: string, signal: AbortSignal): Promise<ContainerState> {
  for (;;) {
    const state = await retry(
      async () => {
        const once = AbortSignal.timeout(ASK_AGAIN_MS);
        try {
          await api.json({
            method: 'POST',
            path: path`/containers/${name}/wait`,
            query: { condition: 'not-running' },
            signal: AbortSignal.any([signal, once]),
            action: `wait for container ${name}`,
          });
        } catch (error) {
          // The request has timed out: inspect, and wait again on a new connection.
          if (signal.aborted || !once.aborted) throw error;
        }
        const now = await inspectContainer(api, name, signal);
        if (!now) throw containerGone(name);
        return now;
      },
      { signal },
    );
    if (!['running', 'paused', 'restarting'].includes(state.status)) return state;
  }
}

/** Texts of Docker, of older versions of it, and of Podman. */
const RUNS =
  /(?:container is|cannot remove a|cannot remove container .* as it is) (?:running|paused|restarting|stopping)/i;

/** False if it runs and `force` was not requested. */
async function removeContainer(api: EngineApi, name: string, force: { force?: '1' }): Promise<boolean> {
  const call = { path: path`/containers/${name}`, action: `remove container ${name}` };
  try {
    await api.find({ ...call, method: 'DELETE', query: { v: '1', ...force } });
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    if (!force.force && RUNS.test(error.message)) return false;
    if (!/removal of container .* already in progress/i.test(error.message)) throw error;
    await api.find({
      method: 'POST',
      path: path`/containers/${name}/wait`,
      query: { condition: 'removed' },
      signal: AbortSignal.timeout(REMOVAL_MS),
      action: `wait for the removal of container ${name}`,
    });
  }
  return true;
}
