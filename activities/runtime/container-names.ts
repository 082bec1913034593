/**
 * Names and labels of everything that one attempt of a job makes on an engine. They come from the attempt
 * alone, so that a process that knows nothing but the attempt finds it all again.
 */
import type { AttemptRef } from '../../src/plan/model/ids.ts';
import { sha256 } from '../../src/utils/sha256.ts';

/** The run of a workflow that an attempt belongs to. */
export interface RunRef {
  workflowId: string;
  runId: string;
}

export const LABELS = {
  installation: 'davit.installation',
  kind: 'davit.kind',
  pipeline: 'davit.job.pipeline',
  key: 'davit.job.key',
  attempt: 'davit.job.attempt',
  workflow: 'davit.job.workflow',
  run: 'davit.job.run',
  /** Project and host name of a tested container: leftovers of an earlier build are found by it. */
  tested: 'davit.job.tested',
  /** Its last line is the mark of `end-mark.ts`: one that an older worker made has none. */
  marked: 'davit.job.marked',
} as const;

export type ObjectKind = 'job' | 'service' | 'tested' | 'helper' | 'network' | 'volume';

const short = (installation: string): string => installation.replaceAll('-', '').slice(0, 8);

/**
 * `davit-1a2b3c4d-0f1e2d3c4b5a-unit-test-1`: the container and the volume of an attempt; others stand behind
 * it.
 */
export function attemptName(
  installation: string,
  run: RunRef,
  ref: Pick<AttemptRef, 'job' | 'attempt'>,
): string {
  const hash = sha256(JSON.stringify([run.workflowId, run.runId, ref.job])).slice(0, 12);
  const slug = ref.job
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
  return `davit-${short(installation)}-${hash}-${slug || 'job'}-${ref.attempt}`;
}

/** The network of jobs that have none of their own. */
export const sharedNetwork = (installation: string): string => `davit-${short(installation)}-jobs`;

export function attemptLabels(
  installation: string,
  run: RunRef,
  ref: Pick<AttemptRef, 'pipeline' | 'job' | 'attempt'>,
): Record<string, string> {
  return {
    [LABELS.installation]: installation,
    [LABELS.pipeline]: ref.pipeline,
    [LABELS.key]: ref.job,
    [LABELS.attempt]: String(ref.attempt),
    [LABELS.workflow]: run.workflowId,
    [LABELS.run]: run.runId,
  };
}

/** The attempt that an object on an engine belongs to; undefined when it is none of a job. */
export function readLabels(
  labels: Record<string, string>,
): (RunRef & Pick<AttemptRef, 'job' | 'attempt'> & { installation: string }) | undefined {
  const installation = labels[LABELS.installation];
  const workflowId = labels[LABELS.workflow];
  const runId = labels[LABELS.run];
  const job = labels[LABELS.key];
  const attempt = Number(labels[LABELS.attempt]);
  if (!installation || !workflowId || !runId || job === undefined || !Number.isInteger(attempt))
    return undefined;
  return { installation, workflowId, runId, job, attempt };
}

/** Name and labels of what an attempt makes on the engine. */
export interface Identity {
  name: string;
  labels: Record<string, string>;
}
export const identityOf = (installation: string, run: RunRef, ref: AttemptRef): Identity => ({
  name: attemptName(installation, run, ref),
  labels: attemptLabels(installation, run, ref),
});
