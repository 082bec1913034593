/** Authors whose forks were approved once, if the operator wants them remembered. */
import type { RecordStore } from '../../src/adapters/ports.ts';
import { projectNamed } from '../../src/compiler/variables/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import {
  forkAuthorRecordName,
  type ForkAuthorRecord,
  type PipelineRecord,
} from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { FORK_STAGE } from '../../src/plan/policy/fork-plan.ts';
import { sha256 } from '../../src/utils/sha256.ts';

/** Undefined if the event does not identify them: then nobody is remembered. */
export function forkAuthor({ actor, mergeRequest }: Trigger): string | undefined {
  const { author, source } = mergeRequest ?? {};
  if (author === undefined || source?.id === undefined || author !== actor) return undefined;
  return JSON.stringify([author, source.id]);
}

/** Remembers the approved author, if the operator wants that. The admission is always the first job. */
export async function rememberFork(
  { records, facts }: { records: Pick<RecordStore, 'putIfAbsent'>; facts: InstallationFacts },
  { trigger, status }: Pick<PipelineRecord, 'trigger' | 'status'>,
): Promise<void> {
  const [admission] = status.jobs;
  if (!trigger.fork || admission?.stage !== FORK_STAGE || admission.outcome !== 'succeeded') return;
  const project = projectNamed(facts, trigger);
  const who = forkAuthor(trigger);
  const made = admission.decisions.findLast((one) => one.action === 'play' && one.answer === 'accepted');
  if (!project.fork_remember || who === undefined || !made) return;
  const name = forkAuthorRecordName(project.name, sha256(who));
  await records.putIfAbsent<ForkAuthorRecord>(name, { by: made.actor, at: made.at ?? 0 });
}
