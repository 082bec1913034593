/**
 * Role: the build of a fork, in a BuildKit of its own: a container with a network and a disk of its own, which are
 * gone afterwards. The image is read from it and pushed by davit.
 * Not its role: what the builder is given (`builder-files.ts`), builds of the project itself (`build-image.ts`).
 *
 * Invariants:
 *  FORKB-1 The builder gets no credentials, no cache and no image of the engine; what it fetches, it fetches through
 *     its own network. That is limited as the network of a job is, or nothing is built. It is shared with nobody:
 *     steps of a build have raw sockets.
 *  FORKB-2 What it has built goes to the repository of forks alone, by the digest of its bytes.
 *  FORKB-3 It ends with the activity: a dispatch that follows begins again. One that a killed worker left is removed
 *     by the next dispatch, or by the janitor.
 */
import { Context } from '@temporalio/activity';
import { Readable } from 'node:stream';
import type { ContainerState, RegistryAuth, RegistryUse } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { FORKS } from '../../src/match/image-permission.ts';
import type { AttemptRef, Digest } from '../../src/plan/model/ids.ts';
import { attemptLabels, attemptName, bridgeName, LABELS } from '../runtime/container-names.ts';
import type { AttemptLog } from '../runtime/log/plain-log.ts';
import { eachEntry } from '../runtime/tar.ts';
import type { BuildDeps } from './build-image.ts';
import {
  BUILDER_SCRIPT,
  BUILT_ARCHIVE,
  builderFiles,
  builderScript,
  type BuilderSpec,
  NO_BUILDER,
} from './builder-files.ts';

const TAIL_LINES = 10;
const NO_BUILDER_TEXT =
  'A pipeline of a fork builds no image on this worker: the builder of the engine would give the Dockerfile the caches, the images and the network of the machine.';

export interface ForkBuild {
  ref: AttemptRef;
  /** `HOST/forks/PROJECT` */
  repository: string;
  use: RegistryUse;
  tag: string;
  spec: BuilderSpec;
  context: Readable;
  log: AttemptLog;
  signal: AbortSignal;
}

/** Rejects with `build/refused` where the worker has no builder for forks. */
export async function buildForFork(
  deps: BuildDeps,
  build: ForkBuild,
): Promise<{ digest: Digest; sizeBytes: number }> {
  const image = deps.forkBuilder?.image;
  if (image === undefined)
    throw new DavitError('build/refused', NO_BUILDER_TEXT, {
      hint: 'An operator names an image of BuildKit under fork_builder in the file of the worker.',
    });
  if ((await deps.engine.info()).kind === 'podman')
    throw new DavitError(
      'build/refused',
      `${NO_BUILDER_TEXT} Its engine is Podman, which has no builder for forks.`,
    );
  const { registry, repository } = await deps.registries.forImage(build.repository, {
    use: build.use,
  });
  if (!repository.startsWith(`${FORKS}/`))
    throw new DavitError('build/refused', `${build.repository} is no repository of forks.`);
  await mustBeFiltered(deps);
  const name = `${attemptName(deps.facts.installation, run(), build.ref)}-builder`;
  await removeBuilder(deps, name);
  try {
    await startBuilder(deps, { ...build, name, image });
    await untilBuilt(deps, name, build);
    return await pushed(deps, name, (archive) => registry.putArchive(repository, build.tag, archive));
  } finally {
    // A removal that fails is the janitor's; the outcome of the build counts.
    await removeBuilder(deps, name).catch(() => undefined);
  }
}

function run(): { workflowId: string; runId: string } {
  const { workflowExecution } = Context.current().info;
  return { workflowId: workflowExecution?.workflowId ?? '', runId: workflowExecution?.runId ?? '' };
}

async function mustBeFiltered({ egressProblem, hostName }: BuildDeps): Promise<void> {
  const problem = await egressProblem();
  if (problem !== undefined)
    throw new DavitError(
      'job/egress',
      `${hostName} cannot limit what builds reach, so it builds none of forks. ${problem}`,
    );
}

async function removeBuilder({ engine }: BuildDeps, name: string): Promise<void> {
  await engine.removeContainer(name);
  await engine.removeVolume(name);
  await engine.removeNetwork(name);
}

async function startBuilder(
  deps: BuildDeps,
  { name, image, ref, spec, context, signal }: ForkBuild & { name: string; image: string },
): Promise<void> {
  const { engine, facts } = deps;
  const { installation } = facts;
  const labels = attemptLabels(installation, run(), ref);
  const auth: RegistryAuth | undefined = await deps.registries.authFor(image);
  if (!(await engine.inspectImage(image))) await engine.pullImage(image, { auth, signal });
  await engine.createNetwork(name, {
    labels: { ...labels, [LABELS.kind]: 'network' },
    icc: true,
    bridge: bridgeName(installation, name),
  });
  await engine.createVolume(name, { ...labels, [LABELS.kind]: 'volume' });
  await engine.createContainer({
    name,
    image,
    labels: { ...labels, [LABELS.kind]: 'helper' },
    entrypoint: ['sh', BUILDER_SCRIPT],
    command: [],
    user: '0',
    network: { name, aliases: [] },
    // The snapshots of a build cannot stand on those of the engine.
    volumes: [{ volume: name, path: '/var/lib/buildkit' }],
    builder: true,
    logMaxBytes: facts.config.limits.log_bytes,
    noNewPrivileges: true,
    ...deps.limits,
  });
  await engine.upload(name, builderFiles(builderScript(spec), context));
  signal.throwIfAborted();
  await engine.startContainer(name);
}

/** Rejects with `engine/build-failed` and the last lines, or `engine/failed` where BuildKit does not work. */
async function untilBuilt(
  { engine, hostName }: BuildDeps,
  name: string,
  { log, signal }: ForkBuild,
): Promise<void> {
  const tail: string[] = [];
  const decoder = new TextDecoder();
  const [state] = await Promise.all<ContainerState | void>([
    engine.waitContainer(name, signal),
    (async () => {
      for await (const record of engine.logs(name, { follow: true, signal })) {
        const text = decoder.decode(record.bytes, { stream: true });
        log.write(text);
        tail.push(...text.split('\n').filter((line) => line.trim() !== ''));
        tail.splice(0, Math.max(0, tail.length - TAIL_LINES));
      }
    })(),
  ]);
  if (!state || state.exitCode === 0) return;
  const lines = tail.map((line) => `\n  | ${line.slice(0, 500)}`).join('');
  if (state.exitCode === NO_BUILDER)
    throw new DavitError('engine/failed', `The builder for forks does not work on ${hostName}.${lines}`, {
      hint: 'fork_builder of the worker names an image with sh, mount, buildkitd, buildctl and runc.',
    });
  throw new DavitError('engine/build-failed', `The build failed.${lines}`);
}

/** Hands the archive over while it is read: it is as large as the image. */
async function pushed<T>(
  { engine }: BuildDeps,
  name: string,
  push: (archive: Readable) => Promise<T>,
): Promise<T> {
  const tar = await engine.download(name, BUILT_ARCHIVE);
  let result: { done: T } | undefined;
  if (tar)
    await eachEntry(tar, async (header, content) => {
      if (header.type === 'file')
        result ??= { done: await push(Readable.from(content, { objectMode: false })) };
    });
  if (!result) throw new DavitError('engine/failed', 'The builder for forks has left no image.');
  return result.done;
}
