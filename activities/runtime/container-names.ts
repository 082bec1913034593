/**
 * Names and labels of all objects that one attempt of a job creates on an engine. They are derived from the
 * attempt alone, so that a process that knows only the attempt finds all of them.
 */
import type { AttemptRef } from '../../src/plan/model/ids.ts';
import { LABELS } from '../../src/plan/model/labels.ts';
import { attemptName, shortInstallation as short, type RunRef } from '../../src/utils/store-names.ts';
import { sha256 } from '../../src/utils/sha256.ts';

export { LABELS, attemptName };
export type { RunRef };

export type ObjectKind = 'job' | 'service' | 'tested' | 'helper' | 'network' | 'volume';

/**
 * The network of jobs that have none of their own. The name of its bridge is known, unlike that of the former one,
 * which earlier versions made.
 */
export const sharedNetwork = (installation: string): string => `davit-${short(installation)}-shared-jobs`;

export const formerSharedNetwork = (installation: string): string => `davit-${short(installation)}-jobs`;

/** Names the installation's rules in the firewall of a machine. */
export const firewallName = (installation: string): string => `davit_${short(installation)}`;

/** Every bridge of an installation's jobs begins so: the firewall knows them by it. */
export const bridgePrefix = (installation: string): string => `davit${digits(installation, 4)}`;

/** Interface of a network on its machine. Linux has room for 15 characters. */
export const bridgeName = (installation: string, network: string): string =>
  `${bridgePrefix(installation)}${digits(network, 6)}`;

/** A hash in base 36, which has the most different names for this many characters. */
const digits = (text: string, count: number): string =>
  BigInt(`0x${sha256(text).slice(0, 24)}`)
    .toString(36)
    .padStart(count, '0')
    .slice(-count);

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

export type ObjectOf = RunRef & Pick<AttemptRef, 'job' | 'attempt'> & { installation: string };

/**
 * The attempt that an object on an engine belongs to; undefined when it is none of a job. Its name must be one that
 * davit gives: labels alone may come from an image that somebody else has started.
 */
export function attemptOf({
  name,
  labels,
}: {
  name: string;
  labels: Record<string, string>;
}): ObjectOf | undefined {
  const of = readLabels(labels);
  if (!of) return undefined;
  const own = attemptName(of.installation, of, of);
  return name === own || name.startsWith(`${own}-`) ? of : undefined;
}

/** What the labels say. Whose they are is for `attemptOf` to find out. */
export function readLabels(labels: Record<string, string>): ObjectOf | undefined {
  const installation = labels[LABELS.installation];
  const workflowId = labels[LABELS.workflow];
  const runId = labels[LABELS.run];
  const job = labels[LABELS.key];
  const attempt = Number(labels[LABELS.attempt]);
  if (!installation || !workflowId || !runId || job === undefined || !Number.isInteger(attempt))
    return undefined;
  return { installation, workflowId, runId, job, attempt };
}

/** Name and labels of the objects of an attempt. */
export interface Identity {
  name: string;
  labels: Record<string, string>;
}
export const identityOf = (installation: string, run: RunRef, ref: AttemptRef): Identity => ({
  name: attemptName(installation, run, ref),
  labels: attemptLabels(installation, run, ref),
});
