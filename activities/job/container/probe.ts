/** Probes from inside a container's network whether it answers: the worker may be on another machine. */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../../src/errors.ts';
import { isAlive } from './follow.ts';
import { createHelper } from './helper.ts';
import type { Job } from '../context/job.ts';
import { LABELS } from '../../runtime/container-names.ts';

export interface Probe {
  /** Container to probe. */
  container: string;
  /** Name of the helper's own container. */
  helper: string;
  port: number;
  /** Path of an HTTP request that must succeed; without it an open port is enough. */
  http?: string;
  timeoutMs: number;
}

/**
 * POSIX sh of the helper image, a static busybox, whose nc may lack -z and whose wget may crash with -T (as
 * Debian's does). Arguments: port, and optionally a path.
 */
const SCRIPT = `while :; do
if [ -n "$2" ]; then timeout 5 wget -q -O /dev/null "http://127.0.0.1:$1$2" 2>/dev/null && exit 0
else nc -w 2 127.0.0.1 "$1" -e true 2>/dev/null && exit 0; fi
sleep 0.1
done`;

/** Resolves when it answers; rejects with `job/readiness` if it does not in time, or if it ends. */
export async function awaitReady(job: Job, probe: Probe): Promise<void> {
  const { engine } = job.deps;
  const over = new AbortController();
  const signal = AbortSignal.any([job.lease.signal, over.signal]);
  const how = probe.http === undefined ? `port ${probe.port}` : `GET ${probe.http} on port ${probe.port}`;
  await createHelper(job.deps, {
    name: probe.helper,
    labels: { ...job.labels, [LABELS.kind]: 'helper' },
    entrypoint: ['sh', '-c', SCRIPT, 'probe'],
    command: [String(probe.port), probe.http ?? ''],
    network: { mode: { container: probe.container } },
    volumes: [],
    logMaxBytes: 1_024 * 1_024,
  });
  try {
    await startBeside(job, probe);
    const outcome = await Promise.race([
      engine.waitContainer(probe.helper, signal).then((state) => (state.exitCode === 0 ? 'ready' : 'broken')),
      engine.waitContainer(probe.container, signal).then((state) => `ended with exit code ${state.exitCode}`),
      delay(probe.timeoutMs, 'late', { signal }),
    ]);
    if (outcome === 'ready') return;
    const what = outcome === 'late' ? `did not answer within ${probe.timeoutMs / 1_000} s` : outcome;
    throw new DavitError('job/readiness', `It ${what} (${how}).`);
  } finally {
    over.abort();
    job.deps.background(engine.removeContainer(probe.helper));
  }
}

/**
 * The network of an ended container cannot be joined. Then the end of the container is reported, not the
 * engine's refusal.
 */
async function startBeside({ deps: { engine } }: Job, { helper, container }: Probe): Promise<void> {
  try {
    await engine.startContainer(helper);
  } catch (error) {
    const state = await engine.inspectContainer(container);
    if (!state || isAlive(state)) throw error;
    throw new DavitError('job/readiness', `It ended with exit code ${state.exitCode}.`);
  }
}

/** The last lines of a container, for a log that explains its failure. */
export async function logTail(job: Job, container: string, lines = 50): Promise<string> {
  const records: string[] = [];
  const signal = AbortSignal.any([job.lease.signal, AbortSignal.timeout(10_000)]);
  for await (const record of job.deps.engine.logs(container, { follow: false, signal })) {
    records.push(new TextDecoder().decode(record.bytes));
    if (records.length > lines) records.shift();
  }
  return records.join('').trimEnd();
}
