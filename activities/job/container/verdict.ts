/** Interprets the end of a container. Pure. */
import type { ContainerState } from '../../../src/adapters/ports.ts';
import { DavitError, ERRORS } from '../../../src/errors.ts';
import type { JobResult } from '../../../src/plan/model/outcome.ts';
import { endingOf, endText, isTimeout } from '../../runtime/outcome.ts';
import { messageOf } from '../../../src/utils/message.ts';
import { durationText } from '../../../src/utils/duration.ts';

/** The content of the supervisor's exit file: the script's exit code, and whether SIGTERM came first. */
export interface ExitNote {
  code: number;
  stopped: boolean;
  /** RUNNER_SCRIPT_TIMEOUT ended it. */
  late?: boolean;
  /** Its disk was full when it ended. */
  full?: boolean;
  /** How many processes of the container the kernel has killed for their memory, as the kernel says. */
  memoryKills?: number;
}
export type Verdict = Pick<JobResult, 'outcome' | 'kind' | 'message' | 'exitCode'>;

export function parseExitNote(text: string): ExitNote | undefined {
  const found = /^(\d+)(?: (stopped|late)?)?(?: (full))?\s*$/.exec(text);
  return found?.[1] === undefined
    ? undefined
    : {
        code: Number(found[1]),
        stopped: found[2] === 'stopped',
        ...(found[2] === 'late' && { late: true }),
        ...(found[3] === 'full' && { full: true }),
      };
}

const KILLED = 137;

/**
 * `unread`: the end of its log was never written, because its engine was down. `timedOut`: this worker
 * stopped it at its timeout; a later follower derives that from the container's clock.
 */
export function verdictOf(
  state: ContainerState,
  note: ExitNote | undefined,
  limits: { timeoutMs: number; timedOut: boolean; unread?: boolean },
): Verdict {
  const tooLong = state.finishedAt - state.startedAt >= limits.timeoutMs;
  if (note?.late)
    return {
      outcome: 'failed',
      kind: 'timeout',
      exitCode: note.code,
      message: 'The script took longer than RUNNER_SCRIPT_TIMEOUT.',
    };
  if (note?.full && !note.stopped && note.code !== 0) return fullDisk(note.code);
  if (limits.unread && note && !note.stopped && note.code !== 0) return engineGone(note.code);
  if (note && !note.stopped) return ofScript(note.code, state.oomKilled, note.memoryKills);
  if (limits.timedOut || tooLong)
    return {
      outcome: 'failed',
      kind: 'timeout',
      message: `The job took longer than its timeout of ${durationText(limits.timeoutMs)}.`,
    };
  if (state.oomKilled) return ofScript(KILLED, true);
  if (note || state.exitCode === KILLED || state.exitCode === 143)
    return {
      outcome: 'errored',
      kind: 'engine',
      message: 'The container was stopped from outside: by a person, or because its engine stopped.',
    };
  const why = state.error === '' ? '' : ` (${state.error})`;
  return {
    outcome: 'failed',
    kind: 'config',
    exitCode: state.exitCode,
    message: `The image's entrypoint ended with exit code ${state.exitCode} and never ran the script${why}. Write \`entrypoint: [""]\` if it cannot run a shell.`,
  };
}

/** Probably the machine's failure; the script may have failed for another reason. */
const fullDisk = (code: number): Verdict => ({
  outcome: 'errored',
  kind: 'no_space',
  exitCode: code,
  message: `The script ended with exit code ${code}, and the disk of its machine is full [engine/no-space]. ${ERRORS['engine/no-space'].remedy}`,
});

/** A write to an engine that is down fails a script like a mistake of its own, so the cause is unknown. */
const engineGone = (code: number): Verdict => ({
  outcome: 'errored',
  kind: 'engine',
  exitCode: code,
  message: `The script ended with exit code ${code} while the container engine was down; lost output may have caused the failure.`,
});

function ofScript(code: number, oomKilled: boolean, memoryKills = 0): Verdict {
  if (code === 0) return { outcome: 'succeeded', exitCode: 0 };
  // A wrapper (make, npm, a shell) ends with a code of its own when its child is killed.
  if (oomKilled)
    return {
      outcome: 'failed',
      kind: 'out_of_memory',
      exitCode: code,
      message:
        code === KILLED
          ? 'The job was killed: out of memory.'
          : `A process of the job was killed: out of memory (exit code ${code}).`,
    };
  // The engine's flag can be late or missing, and the script may have gone on after the kill.
  if (memoryKills > 0)
    return {
      outcome: 'failed',
      kind: 'out_of_memory',
      exitCode: code,
      message: `exit code ${code}, probably out of memory: the kernel has killed ${memoryKills} of its processes for it.`,
    };
  return { outcome: 'failed', kind: 'script', exitCode: code, message: `exit code ${code}` };
}

/** Texts of Docker and Podman about a container that cannot be started as it is described. */
const NO_PROGRAM =
  /executable file not found|(?:no such file or directory|permission denied): unknown|exec: "[^"]*": (?:stat [^:]+: )?(?:no such file or directory|permission denied)/;
const NO_USER = /unable to find (?:user|group) ([^:]+): |(?:unable|failed) to find (?:user|group) "?([^:"]+)/;

/** True if the file or the image is wrong, not the engine: another attempt would end in the same way. */
export const isImageFault = (error: DavitError): boolean =>
  NO_PROGRAM.test(error.message) || NO_USER.test(error.message);

/** The result of a failure before the script's start, or in transferring its files. */
export function verdictOfError(error: unknown): Verdict {
  if (isTimeout(error))
    return {
      outcome: 'failed',
      kind: 'timeout',
      message: "The image was not available before the job's timeout.",
    };
  if (!(error instanceof DavitError))
    return {
      outcome: 'errored',
      kind: 'internal',
      message: messageOf(error),
    };
  const [, docker, podman] = NO_USER.exec(error.message) ?? [];
  const user = error.code === 'job/service' ? undefined : (docker ?? podman);
  if (user !== undefined)
    return {
      outcome: 'failed',
      kind: 'config',
      message: `The image has no user or group "${user}". Write one that its /etc/passwd has, or a number.`,
    };
  if (error.code !== 'job/service' && NO_PROGRAM.test(error.message))
    return {
      outcome: 'failed',
      kind: 'config',
      message: `The image has no shell (sh) that could run the script: ${error.message}`,
    };
  const [outcome, kind] = endingOf(error.code);
  return { outcome, kind, message: endText(error) };
}

/** `always` excludes a timeout, as in GitLab. */
export function isDue(when: 'on_success' | 'on_failure' | 'always', verdict: Verdict): boolean {
  if (verdict.outcome === 'succeeded') return when !== 'on_failure';
  // A script that was ended by its own limit has an exit code, and its files are kept.
  return when !== 'on_success' && (verdict.kind !== 'timeout' || verdict.exitCode !== undefined);
}
