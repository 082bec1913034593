/** A container beside the job that the kernel has killed for its memory: the script only sees a lost connection. */
import type { Job } from '../context/job.ts';
import type { Verdict } from '../container/verdict.ts';
import { serviceName } from './services.ts';
import { systemUnderTestName } from './system-under-test.ts';

/**
 * The verdict of a failed script, with what happened beside it. Best effort: without an answer of the engine the
 * verdict stays. Read before the containers are removed.
 */
export async function withMemoryKills(job: Job, verdict: Verdict): Promise<Verdict> {
  if (verdict.outcome !== 'failed' || (verdict.kind !== 'script' && verdict.kind !== 'timeout'))
    return verdict;
  const killed = (
    await Promise.all(besides(job).map(async (one) => ((await wasKilled(job, one)) ? [one.what] : [])))
  ).flat();
  if (killed.length === 0) return verdict;
  const message = `${verdict.message ?? ''}; killed beside it: out of memory: ${killed.join(', ')}`;
  return { ...verdict, message, ...(verdict.kind === 'script' && { kind: 'out_of_memory' as const }) };
}

interface Beside {
  what: string;
  container: string;
}

const besides = ({ name, spec }: Job): Beside[] => [
  ...spec.services.map((service, index) => ({
    what: `the service ${service.name}`,
    container: serviceName(name, index),
  })),
  ...(spec.kind === 'apitest'
    ? [{ what: `the tested image (${spec.host})`, container: systemUnderTestName(name) }]
    : []),
];

async function wasKilled({ deps }: Job, { container }: Beside): Promise<boolean> {
  try {
    return (await deps.engine.inspectContainer(container))?.oomKilled === true;
  } catch {
    return false; // the engine does not answer: the script's own end is told
  }
}
