/**
 * Images of one engine: pull, push, inspect, tag, remove. Errors of pulls and pushes stand in their streams
 * only.
 */
import type { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { HELPER_IMAGE } from '../../installation.ts';
import { durationText } from '../../utils/duration.ts';
import { platformText } from '../../plan/model/spec.ts';
import type { Engine, ImageInfo, RegistryAuth } from '../ports.ts';
import { isLoopback } from '../text.ts';
import { imageNameText, parseImageName } from '../../match/image-name.ts';
import { path, type Call, type EngineApi } from './api.ts';
import { imageInfo, imageList } from './response-schemas.ts';
import { causeOf } from './errors.ts';
import { buildCache, pruneBuildCache } from './build-cache.ts';
import { jsonLines } from './json-lines.ts';
import { retry } from '../../utils/retry.ts';
import { untrustedRegistry } from './podman-trust.ts';
import {
  eventError,
  eventText,
  pullError,
  pushedDigest,
  pushError,
  streamEvent,
  type StreamEvent,
} from './progress.ts';

type Images = Pick<
  Engine,
  | 'inspectImage'
  | 'pullImage'
  | 'tagImage'
  | 'removeImage'
  | 'listImages'
  | 'pruneBuildCache'
  | 'buildCache'
  | 'push'
>;
/**
 * How long an unreachable registry is retried, ms. The engine itself retries a push for 50 s and a pull not
 * at all.
 */
export interface RegistryRetry {
  pullMs: number;
  pushMs: number;
}

/** Containers of it have rights on the machine, so whoever has the name at a hub must not provide it. */
const OWN_HELPER = imageNameText(parseImageName(HELPER_IMAGE));

/** The image part of an Engine, without `build` and `canRun`. */
export function images(api: EngineApi, patience: RegistryRetry): Images {
  return {
    inspectImage: (image, platform) => inspectImage(api, image, platform),
    pullImage: (image, options) =>
      retry(() => pull(api, image, options), {
        signal: options.signal,
        forMs: options.once ? 0 : patience.pullMs,
        onWaitEveryMs: NOTICE_INTERVAL_MS,
        onWait: (error) => options.onLog?.(waitText(error, patience.pullMs)),
      }),
    async tagImage(image, tag) {
      const name = parseImageName(tag);
      const query = { repo: repositoryText(tag), tag: name.tag ?? 'latest' };
      await api.json({
        method: 'POST',
        path: imagePath(image, 'tag'),
        query,
        action: `tag image ${image} as ${tag}`,
      });
    },
    async removeImage(image) {
      await api.find({ method: 'DELETE', path: imagePath(image), action: `remove image ${image}` });
    },
    async listImages() {
      return imageList(await api.json({ method: 'GET', path: path`/images/json`, action: 'list images' }));
    },
    pruneBuildCache: (keepBytes) => pruneBuildCache(api, keepBytes),
    buildCache: (signal) => buildCache(api, signal),
    push: (tag, options) =>
      retry(() => push(api, tag, options), {
        signal: options.signal,
        forMs: patience.pushMs,
        onWaitEveryMs: NOTICE_INTERVAL_MS,
        onWait: (error) => options.onLog(waitText(error, patience.pushMs)),
      }),
  };
}

/** A wait of minutes is mentioned in the log now and then, not at every attempt. */
const NOTICE_INTERVAL_MS = 30_000;
const waitText = (error: Error, forMs: number): string =>
  `${error.message} Trying again for up to ${durationText(forMs)}.\n`;

/**
 * Names keep their slashes in the engine's paths; the parser accepts no other character with a meaning there.
 */
function imagePath(image: string, action?: string): string {
  if (!/^(?:sha256:)?[0-9a-f]{12,64}$/.test(image)) parseImageName(image);
  return `/images/${image}${action ? `/${action}` : ''}`;
}

/** The name as it was written, without tag and digest. */
const repositoryText = (image: string): string => image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');

/**
 * In the containerd store the id stays that of the whole image, because no container can be created from the
 * id of one platform's manifest ("No such image"); all other properties are those of the platform's image.
 */
export async function inspectImage(
  api: EngineApi,
  image: string,
  platform?: string,
): Promise<ImageInfo | undefined> {
  const call = (name: string): Call => ({
    method: 'GET',
    path: imagePath(name, 'json'),
    action: `inspect image ${image}`,
  });
  const response = await api.find(call(image));
  if (response === undefined) return undefined;
  const whole = imageInfo(response);
  const { store, inspectsPlatform } = await api.traits();
  if (store === 'classic' || platform === undefined) return whole;
  if (!inspectsPlatform) return platformText(whole.platform) === platform ? whole : undefined;
  // By id: the tag may move between the two calls.
  const one = await api.find({ ...call(whole.id), query: { platform: platformQuery(platform) } });
  return one === undefined
    ? undefined
    : {
        ...imageInfo(one),
        id: whole.id,
        tags: whole.tags,
        repoDigests: whole.repoDigests,
        madeHere: whole.madeHere,
      };
}

/** `linux/arm/v6` as the API's JSON. */
export function platformQuery(platform: string): string {
  const [os, architecture, variant] = platform.split('/');
  return JSON.stringify({ os, architecture, ...(variant && { variant }) });
}

type PullOptions = Parameters<Engine['pullImage']>[1];

async function pull(api: EngineApi, image: string, options: PullOptions): Promise<ImageInfo> {
  const name = parseImageName(image);
  if (imageNameText(name) === OWN_HELPER)
    throw new DavitError('engine/image-missing', `davit makes ${HELPER_IMAGE} itself and never pulls it.`);
  const call: Call = {
    method: 'POST',
    path: path`/images/create`,
    query: {
      fromImage: repositoryText(image),
      tag: name.digest ?? name.tag ?? 'latest',
      ...(options.platform && { platform: options.platform }),
    },
    auth: authHeader(options.auth, name.host),
    signal: options.signal,
    action: `pull image ${image}`,
  };
  for await (const event of events(api, await api.stream(call), call)) {
    const message = eventError(event);
    if (message !== undefined)
      throw (await registryError(api, message, name.host)) ?? pullError(message, image);
    const text = eventText(event);
    if (text !== undefined) options.onLog?.(text);
  }
  const found = await inspectImage(api, image, options.platform);
  const { store, inspectsPlatform } = await api.traits();
  if (!found && store === 'containerd' && options.platform !== undefined)
    throw inspectsPlatform
      ? new DavitError('engine/platform', `Image ${image} does not exist for ${options.platform}.`)
      : new DavitError(
          'engine/platform',
          `The engine at ${api.address} cannot select one platform of image ${image}.`,
          { hint: 'With the containerd image store, use Docker 28.2 or later.' },
        );
  if (!found)
    throw new DavitError(
      'engine/image-missing',
      `Image ${image} was pulled, but the engine does not have it.`,
    );
  return found;
}

type PushOptions = Parameters<Engine['push']>[1];

async function push(api: EngineApi, tag: string, options: PushOptions): ReturnType<Engine['push']> {
  const name = parseImageName(tag);
  const call: Call = {
    method: 'POST',
    path: imagePath(repositoryText(tag), 'push'),
    query: { tag: name.tag ?? 'latest' },
    // The engine requires the header even without credentials.
    auth: authHeader(options.auth, name.host) ?? { username: '', password: '', serveraddress: name.host },
    signal: options.signal,
    action: `push image ${tag}`,
  };
  let result: Awaited<ReturnType<Engine['push']>> | undefined;
  for await (const event of events(api, await api.stream(call), call)) {
    const message = eventError(event);
    if (message !== undefined)
      throw (await registryError(api, message, name.host)) ?? pushError(message, tag, name.repository);
    result = pushedDigest(event, name.tag ?? 'latest') ?? result;
    const text = eventText(event);
    if (text !== undefined) options.onLog(text);
  }
  if (!result) throw new DavitError('registry/failed', `The push of ${tag} ended without a digest.`);
  return result;
}

/** What is known of the registry beside the engine's message: Podman's distrust, or the ssh forward to it. */
async function registryError(api: EngineApi, message: string, host: string): Promise<DavitError | undefined> {
  const problem = forwardProblem(api, host);
  if (problem !== undefined && causeOf(message) === 'registry/unreachable')
    return new DavitError(
      'registry/unreachable',
      `The engine does not reach the registry ${host}: ${problem}`,
    );
  return (await api.traits()).podman ? untrustedRegistry(message, host) : undefined;
}

function forwardProblem(api: EngineApi, host: string): string | undefined {
  const [, name = '', port = ''] = /^(.+):(\d+)$/.exec(host) ?? [];
  return isLoopback(name) ? api.forwardProblem(Number(port)) : undefined;
}

/** The events of a stream; a broken one rejects with `engine/unreachable`. */
export async function* events(api: EngineApi, stream: Readable, call: Call): AsyncGenerator<StreamEvent> {
  try {
    for await (const line of jsonLines(stream)) yield streamEvent(line);
  } catch (error) {
    throw api.streamError(error, call);
  }
}

/** Credentials for exactly one registry, in the format of the engine's header. */
export const authHeader = (
  auth: RegistryAuth | undefined,
  host: string,
): (RegistryAuth & { serveraddress: string }) | undefined => auth && { ...auth, serveraddress: host };
