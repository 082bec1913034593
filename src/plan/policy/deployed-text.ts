import type { DeployedState } from '../model/outcome.ts';

/** What stands at the target after a rollback, as a sentence for the message of the job. */
export function standsText({ state, service, target, image, pipeline }: DeployedState): string {
  const at = `${service} at ${target}`;
  const from = pipeline === undefined ? '' : ` of pipeline ${pipeline}`;
  const runs = image === '' ? `${at} is not there` : `${at} has ${image}${from}`;
  if (state === 'rolled_back')
    return image === ''
      ? `Rolled back: ${at} was removed, because nothing was deployed before.`
      : `Rolled back: ${runs} again.`;
  if (state === 'unchanged') return `Not rolled back: ${runs}.`;
  return `The rollback has not settled: ${runs} now.`;
}
