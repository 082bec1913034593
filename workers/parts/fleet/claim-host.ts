/** Before a worker serves its engine under its davit id, the server says that no other machine has that id. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { FleetAnswer } from '../../../src/plan/model/fleet.ts';
import type { Report } from './presence.ts';

const AGAIN_MS = 1_000;
/** Another worker of the engine may have left the newest mark a moment ago. */
const MAX_REFUSALS = 6;

export interface HostClaim {
  fleet: Pick<Fleet, 'report'>;
  /** With the marks as they are now. */
  report(): Promise<Report>;
  log(text: string): void;
  signal?: AbortSignal | undefined;
  againMs?: number;
}

/** Resolves with the server's answer when it has accepted the engine. Rejects with `worker/twin`. */
export async function claimHost({
  fleet,
  report,
  log,
  signal,
  againMs = AGAIN_MS,
}: HostClaim): Promise<FleetAnswer> {
  let refusals = 0;
  for (let first = true; ; first = false) {
    if (!first) await delay(againMs, undefined, { signal });
    const answer = await ask(fleet, await report());
    if (!answer) continue;
    if (answer.refused) {
      refusals += 1;
      if (refusals >= MAX_REFUSALS) throw twin(answer.refused);
    } else if (!answer.undecided) return answer;
    if (first && answer.undecided)
      log('waits until other workers of its id have shown that they are on this engine');
  }
}

export const twin = ({ message }: { message: string }): DavitError => new DavitError('worker/twin', message);

/** Undefined: the server is away, and jobs could not run either. */
async function ask(fleet: Pick<Fleet, 'report'>, report: Report): Promise<FleetAnswer | undefined> {
  try {
    return await fleet.report(report);
  } catch (error) {
    // A token that is refused stays so.
    if (error instanceof DavitError && (error.http === 401 || error.http === 403)) throw error;
    return undefined;
  }
}
