/** What a job waits for, as people read it. Pure. */
import type { PipelineId } from '../model/ids.ts';
import type { JobStatus } from '../model/protocol.ts';

/** The command that ends the wait, or its reason; undefined if the job is not waiting. */
export function waitingText(id: PipelineId, job: JobStatus): string | undefined {
  if (job.outcome) return undefined;
  if (job.phase === 'gate') return `gate: davit approve ${id} ${quoted(job.key)}${gateText(job)}`;
  if (job.phase === 'manual') return `davit play ${id} ${quoted(job.key)}`;
  if (job.waitingFor === undefined) return undefined;
  const text = job.waitingFor.startsWith('queue:') ? tagsText(job) : undefined;
  const note = job.waitNote === undefined ? '' : `; ${job.waitNote}`;
  return `${text ?? reasonText(job.waitingFor)}${note}`;
}

/** A queue is of one tag; a worker needs all of them. */
function tagsText({ queue, waitingFor, tags = [] }: JobStatus): string | undefined {
  if (waitingFor !== `queue:${queue}` || tags.length < 2 || queue.startsWith('deploy-')) return undefined;
  const forks = queue.startsWith('forks-') ? ' that takes jobs of forks' : '';
  return `waits for a worker with the tags ${tags.join(', ')}${forks}`;
}

/** `waitingFor` of a job in words. */
export function reasonText(reason: string): string {
  const colon = reason.indexOf(':');
  const [kind, subject] = colon < 0 ? [reason, ''] : [reason.slice(0, colon), reason.slice(colon + 1)];
  switch (kind) {
    case 'queue':
      return `waits for ${queueText(subject)}`;
    case 'lock':
      return `waits for the lock of ${subject}`;
    case 'needs':
      return `waits for ${subject}`;
    case 'stage':
      return `waits for stage ${subject}`;
    case 'slots':
      return 'waits for a slot: the maximum number of jobs is running';
    case 'delay':
      return 'is delayed';
    case 'plan':
      return 'waits for its plan';
    default:
      return `waits for ${reason}`;
  }
}

/** Who may decide, and until when. */
function gateText({ gate }: JobStatus): string {
  if (!gate) return '';
  const who = gate.approvers.length > 0 ? gate.approvers.join(' or ') : 'operator';
  return ` (${who}, until ${new Date(gate.expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC)`;
}

function queueText(queue: string): string {
  if (queue.startsWith('host-')) return 'its machine to come back';
  if (queue.startsWith('forks-'))
    return `${queueText(queue.slice('forks-'.length))} that takes jobs of forks`;
  if (queue.startsWith('tag-')) return `a worker with the tag ${queue.slice('tag-'.length)}`;
  if (queue.startsWith('deploy-')) return `a worker for the deploy target ${queue.slice('deploy-'.length)}`;
  return `a worker on ${queue}`;
}

/** An argument as a POSIX shell takes it. */
export const quoted = (text: string): string =>
  /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
