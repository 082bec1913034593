/** Names in the store and on engines that server and workers both derive. */
import { sha256 } from './sha256.ts';

/** The workflow run of an attempt. */
export interface RunRef {
  workflowId: string;
  runId: string;
}

/** The part of an installation's id that is in the names of its objects. */
export const shortInstallation = (installation: string): string =>
  installation.replaceAll('-', '').slice(0, 8);

/**
 * `davit-1a2b3c4d-0f1e2d3c4b5a-unit-test-1`: the container and the volume of an attempt, and its records in the store;
 * names of other objects add a suffix.
 */
export function attemptName(
  installation: string,
  run: RunRef,
  ref: { readonly job: string; readonly attempt: number },
): string {
  const hash = sha256(JSON.stringify([run.workflowId, run.runId, ref.job])).slice(0, 12);
  const slug = ref.job
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
  return `davit-${shortInstallation(installation)}-${hash}-${slug || 'job'}-${ref.attempt}`;
}

/** Turns a name of any length and characters into a part of a record's name. */
export const artifactNameHash = (...names: string[]): string => sha256(JSON.stringify(names));
