/**
 * The container under test of an API test: exactly the built digest, on a machine of its architecture, as in
 * production, with its own entrypoint. If it ends before the test, the job fails at once.
 */
import { DavitError } from '../../../src/errors.ts';
import type { ApitestSpec } from '../../../src/plan/model/spec.ts';
import { PLATFORMS, platformText } from '../../../src/plan/model/spec.ts';
import { limitsOf } from '../context/rights.ts';
import { removeObjects } from '../container/cleanup.ts';
import { ensureImage } from '../container/image.ts';
import type { Job } from '../context/job.ts';
import { attemptOf, LABELS } from '../../runtime/container-names.ts';
import { useOf } from '../../runtime/spec.ts';
import { awaitReady, logTail } from '../container/probe.ts';
import { type SidecarRequest, type Sidecars } from './types.ts';

export const systemUnderTestName = (attempt: string): string => `${attempt}-tested`;

export async function startSystemUnderTest(
  job: Job,
  spec: ApitestSpec,
  request: SidecarRequest & { network: Sidecars['network'] },
): Promise<Pick<Sidecars, 'notes' | 'ready'>> {
  const { deps, lease } = job;
  const notes: string[] = [];
  const image = testedImage(job, spec);
  const label = `${spec.project}/${spec.host}`;
  const [, { id, platform }] = await Promise.all([
    removeLeftovers(job, label),
    ensureImage(
      deps,
      {
        name: image,
        platform: request.platform,
        pullPolicy: 'if-not-present',
        ask: spec,
        use: useOf(spec, job.input),
      },
      { signal: lease.signal, say: (text) => notes.push(text) },
    ),
  ]);
  const { network } = request;
  const container = systemUnderTestName(job.name);
  await deps.engine.createContainer({
    name: container,
    image: id,
    platform: platformText(platform),
    labels: { ...job.labels, [LABELS.kind]: 'tested', [LABELS.tested]: label },
    env: request.environments.tested,
    network: 'name' in network ? { ...network, aliases: [spec.host] } : network,
    ...limitsOf(spec, deps.worker.config),
    volumes: [],
    logMaxBytes: deps.facts.config.limits.log_bytes,
  });
  await deps.engine.startContainer(container);
  notes.push(`Testing ${image} as ${spec.host}:${spec.port}`);
  const { ready, port } = spec;
  const probe = {
    container,
    helper: `${container}-probe`,
    port,
    http: ready.http,
    timeoutMs: ready.timeoutMs,
  };
  return { notes, ready: () => untilReady(job, probe) };
}

async function untilReady(job: Job, probe: Parameters<typeof awaitReady>[1]): Promise<void> {
  try {
    await awaitReady(job, probe);
  } catch (error) {
    if (!job.lease.signal.aborted) await copySystemUnderTestLog(job);
    throw error;
  }
}

/** The reason for a failed test is often in the log of the container under test. */
export async function copySystemUnderTestLog(job: Job): Promise<void> {
  if (job.spec.kind !== 'apitest') return;
  const tail = await logTail(job, systemUnderTestName(job.name));
  job.log.say('Last lines of the tested container:');
  job.log.quote(tail === '' ? '(it wrote nothing)' : tail);
}

/** The digest that the build job of this architecture pushed. */
function testedImage({ input }: Job, spec: ApitestSpec): string {
  const { architecture } = PLATFORMS[spec.arch];
  const own = input.images.filter(({ image }) => image.platform.architecture === architecture);
  const found =
    own.find(({ job }) => job === spec.imageFrom) ??
    own.find(({ job }) => job.startsWith(`${spec.imageFrom}: [`)) ??
    (own.length === 1 ? own[0] : undefined);
  if (!found)
    throw new DavitError('blob/missing', `${spec.imageFrom} left no image for ${spec.arch} to test.`, {
      hint: 'Run that job again: a test needs the digest that it pushed.',
    });
  return `${found.image.repository}@${found.image.digest}`;
}

/**
 * Removes the container of an earlier build with the same name, unless its pipeline is open and it still
 * runs.
 */
async function removeLeftovers(job: Job, label: string): Promise<void> {
  const { engine, facts, workflows } = job.deps;
  const labels = { [LABELS.installation]: facts.installation, [LABELS.tested]: label };
  for (const there of await engine.listContainers(labels)) {
    const of = attemptOf(there);
    if (!of || there.name === systemUnderTestName(job.name)) continue;
    const isOver =
      there.status === 'exited' || (await workflows.isClosed(of.workflowId, of.runId).catch(() => false)); // no answer means keep
    if (isOver) await engine.removeContainer(there.name);
  }
}

/** Sidecars are removed after the job has its result, off the critical path. */
export const removeSidecars = ({ deps, labels }: Job): Promise<void> =>
  removeObjects(deps.engine, { labels, kinds: ['service', 'tested', 'helper', 'network'] });
