import { ApplicationFailure, Context, log } from '@temporalio/activity';
import type {
  Forge,
  RecordStore,
  Secrets,
  Source,
  StatusWriters,
  WorkflowLookup,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type {
  StatusProblem,
  StatusRecord,
  StatusReport,
  StatusWrite,
} from '../../src/plan/model/commit-status.ts';
import { statusWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import { statusProblemName, statusRecordName, type PipelineRecord } from '../../src/plan/model/records.ts';
import {
  completed,
  contextsOf,
  isLater,
  statusKindOf,
  tellsForge,
} from '../../src/plan/policy/commit-status.ts';
import type { ControlActivities } from '../contract.ts';
import { messageOf } from '../../src/utils/message.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';
import { sha256 } from '../../src/utils/sha256.ts';

interface StatusDeps {
  forge: Forge;
  records: RecordStore;
  facts: InstallationFacts;
  writers: StatusWriters;
  /** The record of an ended pipeline. */
  recordOf(id: PipelineId): Promise<PipelineRecord | undefined>;
  /** Epoch ms by the server's clock. */
  now(): number;
}
/** A refused token is put right by a person. */
const DENIED_RETRY = '10 minutes';
/** Earlier failures pass by themselves. */
const NOTED_FROM_ATTEMPT = 5;

/** Passes a pipeline's state on to the writers of its commit's status, which outlive the pipeline. */
export function makeReportCommitStatus(
  deps: Pick<StatusDeps, 'facts' | 'writers' | 'now'>,
): ControlActivities['reportCommitStatus'] {
  return async (input) => {
    for (const [workflowId, write] of writesOf(deps, input)) await deps.writers.report(workflowId, write);
  };
}

function writesOf(
  { facts, now }: Pick<StatusDeps, 'facts' | 'now'>,
  input: StatusReport,
): [workflowId: string, StatusWrite][] {
  const { config } = facts;
  const project = config.projects.find((one) => one.name === input.project);
  if (!project || !tellsForge(project)) return [];
  const report = completed(input, now());
  // GitLab keeps a status for each ref of a commit, the others one for all.
  const more = project.forge === 'gitlab' ? `/${sha256(report.ref).slice(0, 12)}` : '';
  return contextsOf(namesOf(facts, report), report).map((context) => [
    statusWorkflowId(report.project, report.sha, context, more),
    { ...report, context },
  ]);
}

const namesOf = ({ config }: InstallationFacts, { project }: Pick<StatusReport, 'project'>) => ({
  installation: config.status_context,
  project: config.projects.find((one) => one.name === project)?.status_context,
});

/**
 * Tells the forge. Only the writer of this commit and context calls it, one call after the other; what the forge was told is
 * kept beyond the writer, so that an older pipeline that ends later changes nothing.
 */
export function makeWriteCommitStatus(
  deps: Pick<StatusDeps, 'forge' | 'records' | 'facts' | 'now' | 'recordOf'>,
): ControlActivities['writeCommitStatus'] {
  return async (write) => {
    const { info } = Context.current();
    const name = statusRecordName(write.project, sha256(info.workflowExecution?.workflowId ?? ''));
    const before = await deps.records.get<StatusRecord>(name);
    if (before && !isLater(write.place, before.place)) return;
    const own = before?.pipeline === write.id ? before.told : undefined;
    let told: string | undefined;
    try {
      await mustBeRecorded(deps, write);
      told = await deps.forge.commitStatus({
        project: write.project,
        sha: write.sha,
        ref: write.ref,
        pipeline: write.id,
        context: write.context,
        state: write.state,
        ...(write.cause && { cause: write.cause }),
        ...(own !== undefined && { told: own }),
        url: new URL(`/pipelines/${write.id}`, deps.facts.url).href,
      });
    } catch (error) {
      await noteProblem(deps, write, { error, attempt: info.attempt });
      throw withDelay(error);
    }
    // A pipeline that has told nothing leaves what stands.
    const record: StatusRecord = {
      place: write.place,
      pipeline: write.id,
      ...(told !== undefined && { told }),
    };
    if (told !== undefined || own !== undefined) await deps.records.put(name, record);
    if (told !== undefined) await clearProblem(deps, write);
  };
}

/**
 * A signal to the writer carries no proof, and a required check believes what it leads to: only what is in the record of a
 * pipeline has passed. Rejects until the record is written.
 */
async function mustBeRecorded(
  { recordOf, facts }: Pick<StatusDeps, 'recordOf' | 'facts'>,
  write: StatusWrite,
): Promise<void> {
  if (write.state !== 'success') return;
  const record = await recordOf(write.id);
  const { trigger, status } = record ?? {};
  const isOwn = trigger?.project === write.project && trigger.sha === write.sha && trigger.ref === write.ref;
  const contexts = trigger
    ? contextsOf(namesOf(facts, write), { kind: statusKindOf(trigger), fork: trigger.fork })
    : [];
  if (isOwn && status?.state === 'success' && contexts.includes(write.context)) return;
  throw new DavitError(
    'forge/away',
    `The record of ${write.id} does not say that it passed ${write.context}.`,
  );
}

async function noteProblem(
  { records, now }: Pick<StatusDeps, 'records' | 'now'>,
  write: StatusWrite,
  { error, attempt }: { error: unknown; attempt: number },
): Promise<void> {
  const code = error instanceof DavitError ? error.code : 'internal/defect';
  const reason = messageOf(error);
  log.warn('commit status not reported', { pipeline: write.id, context: write.context, code, reason });
  if (code === 'forge/away' && attempt < NOTED_FROM_ATTEMPT) return;
  const name = statusProblemName(write.project);
  const known = await records.get<StatusProblem | null>(name);
  if (known?.reason === reason) return;
  const problem: StatusProblem = { code, reason, pipeline: write.id, since: now() };
  await records.put(name, problem);
}

async function clearProblem(
  { records }: Pick<StatusDeps, 'records'>,
  { project }: StatusWrite,
): Promise<void> {
  const name = statusProblemName(project);
  if (await records.get<StatusProblem | null>(name)) await records.put(name, null);
}

/** Every failure is retried but one that stays. */
function withDelay(error: unknown): unknown {
  const isDenied = error instanceof DavitError && ['forge/denied', 'secret/missing'].includes(error.code);
  if (!isDenied) return error;
  const failed = ApplicationFailure.create({
    type: error.code,
    message: `${error.message} ${error.hint}`,
    nextRetryDelay: DENIED_RETRY,
  });
  failed.stack = '';
  return failed;
}

/** True if the forge's ref points to this commit now; false if davit knows no repository to ask. */
export function makeForgeHeadIs(deps: {
  source: Source;
  secrets: Secrets;
  facts: InstallationFacts;
}): ControlActivities['forgeHeadIs'] {
  return async ({ project, ref, sha }) => {
    const known = deps.facts.config.projects.find((one) => one.name === project);
    if (!known?.clone_url) return false;
    const head = await deps.source.head(known.clone_url, ref, await cloneAuth(known, deps.secrets));
    return head === sha;
  };
}

export function makeIsClosed(deps: { workflows: WorkflowLookup }): ControlActivities['isClosed'] {
  return ({ workflowId, runId }) => deps.workflows.isClosed(workflowId, runId);
}
