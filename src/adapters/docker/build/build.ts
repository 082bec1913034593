/**
 * Builds through the engine's BuildKit (`POST /build`, version 2). The context is the body of the request; the
 * progress comes back as BuildKit traces and, in older engines, as plain text. An error appears in that stream
 * only. Podman has no BuildKit: podman-build.ts. Build arguments are in the query, because the Engine API has
 * no other place for them, and they remain in the image's history: they must not hold secrets, so the compiler
 * refuses masked variables in `args`.
 */
import { z } from 'zod';
import { DavitError, type ErrorCode } from '../../../errors.ts';
import type { BuildRequest, Engine } from '../../ports.ts';
import { oneLine } from '../../text.ts';
import { path, type Call, type EngineApi } from '../api.ts';
import { BuildLog } from './build-log.ts';
import { causeOf } from '../errors.ts';
import { events, inspectImage } from '../images.ts';
import { registryConfig, StepLog } from './podman-build.ts';
import { buildQuery, podmanBuildQuery } from './query.ts';
import { eventError, eventText, type StreamEvent } from '../progress.ts';
import { openSession } from './buildkit-session.ts';
import { decodeProgress } from './buildkit-progress.ts';

const SHOWN_LINES = 10;

/**
 * Rejects with `engine/build-failed` and the failing step, or the cause behind it (`engine/*`,
 * `registry/unreachable`).
 */
export async function build(api: EngineApi, request: BuildRequest): ReturnType<Engine['build']> {
  const { podman } = await api.traits();
  await (podman ? withBuildah(api, request) : withBuildKit(api, request));
  const image = await inspectImage(api, request.tag, request.platform);
  if (!image) throw new DavitError('engine/failed', `The build of ${request.tag} ended without an image.`);
  return { imageId: image.id, sizeBytes: image.sizeBytes };
}

const buildCall = (
  request: BuildRequest,
  query: Record<string, string>,
  headers: Record<string, string> = {},
): Call => ({
  method: 'POST',
  path: path`/build`,
  query,
  headers: { 'Content-Type': 'application/x-tar', ...headers },
  tar: request.context,
  signal: request.signal,
  action: `build image ${request.tag}`,
});

/** Podman's builder: see podman-build.ts. */
async function withBuildah(api: EngineApi, request: BuildRequest): Promise<void> {
  const log = new StepLog();
  const call = buildCall(request, podmanBuildQuery(request), registryConfig(request.auth));
  for await (const event of events(api, await api.stream(call), call)) {
    const message = eventError(event);
    if (message !== undefined) throw buildError(message, log);
    const text = eventText(event);
    if (text === undefined) continue;
    log.take(text);
    request.onLog(text);
  }
}

async function withBuildKit(api: EngineApi, request: BuildRequest): Promise<void> {
  const log = new BuildLog(request.onLog);
  // Without credentials too: BuildKit asks for optional secrets, and without a session that is an error.
  const session = await openSession(api, request.auth, request.signal);
  try {
    const call = buildCall(request, buildQuery(request, session.id));
    for await (const event of events(api, await api.stream(call), call)) {
      const message = eventError(event);
      if (message !== undefined) throw buildError(message, log);
      show(event, log, request.onLog);
    }
  } finally {
    session.close();
  }
}

const trace = z.object({ id: z.literal('moby.buildkit.trace'), aux: z.string() });

function show(event: StreamEvent, log: BuildLog, onLog: (text: string) => void): void {
  const traced = trace.safeParse(event);
  if (traced.success) {
    try {
      log.take(decodeProgress(traced.data.aux));
    } catch {
      onLog('(part of the build progress could not be read)\n'); // the build goes on without it
    }
    return;
  }
  const text = eventText(event);
  if (text !== undefined) onLog(text);
}

/**
 * Texts of BuildKit and Podman for mistakes in the Dockerfile itself. Whatever else such a message mentions, an image
 * for example, is not the cause.
 */
const DOCKERFILE_FAULT =
  /while running runtime|unknown instruction|checking on sources|was not found in the provided dockerfile|libpod_builder\S*: no such file|executor failed running|did not complete successfully|compute cache key|calculate checksum|parse error|returned a non-zero code|target stage .* could not be found|dockerfile: no such file|\bsecret \S+? not found/i;

/** The coded error of a failed build. Pure apart from reading the log. */
export function buildError(message: string, log: Pick<BuildLog, 'failed'>): DavitError {
  const step = log.failed;
  const tail = step?.tail ?? [];
  const code = buildCause(message, tail);
  const where = step ? ` Step: ${step.name}.` : '';
  const lines = tail.slice(-SHOWN_LINES).map((line) => `\n  | ${line}`);
  return new DavitError(code, `The build failed: ${oneLine(message)}${where}${lines.join('')}`);
}

function buildCause(message: string, tail: string[]): ErrorCode {
  const lastLines = tail.slice(-3).join('\n');
  for (const code of ['engine/no-space', 'engine/platform'] as const)
    if (causeOf(message) === code || causeOf(lastLines) === code) return code;
  if (DOCKERFILE_FAULT.test(message)) return 'engine/build-failed';
  const cause = causeOf(message);
  return cause === 'engine/failed' ? 'engine/build-failed' : cause;
}
