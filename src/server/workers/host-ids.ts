/**
 * Decides who may serve an engine under its davit id, so that a job is never resumed on another machine. The id is kept
 * on the engine's disk, and disks are copied. So each worker leaves a new mark on its engine when it starts, and the
 * server remembers the newest mark of each id: a copy of the disk does not have it. Pure but for the book that it is given.
 *
 * Invariants:
 *  ID-1 Only an engine that has the newest mark of its id is served under it, also while the other one is off.
 *  ID-2 A disk may be copied while its engine is served, and has the newest mark then: the worker of the copy waits until
 *       the workers that serve the id do not see its own mark, and is refused.
 *  ID-3 Who is served stays so unless its engine has lacked the newest mark for several reports.
 *  ID-4 Workers without marks are of earlier versions, and are served.
 */
import type { FleetAnswer, Marks } from '../../plan/model/fleet.ts';

export interface Claim {
  /** Id of the worker process. */
  id: string;
  hostId: string;
  hostName: string;
  marks?: Marks | undefined;
}
/** The newest mark of each id. `keep` resolves once it is durable. */
export interface HolderBook {
  holderOf(hostId: string): { mark: string; hostName: string } | undefined;
  keep(hostId: string, holder: { mark: string; hostName: string }): Promise<void>;
}
interface Served extends Claim {
  at: number;
  strikes: number;
}

/** A worker reports every few seconds; one that has not for so long has ended. */
const SILENT_MS = 15_000;
const UNDECIDED_MS = 20_000;
const MAX_STRIKES = 3;

export class HostIds {
  readonly #book: HolderBook;
  readonly #now: () => number;
  readonly #served = new Map<string, Served>();
  /** When a claim was first made, by worker. */
  readonly #waiting = new Map<string, number>();
  /** One claim after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(book: HolderBook, now: () => number) {
    this.#book = book;
    this.#now = now;
  }

  answer(claim: Claim): Promise<Pick<FleetAnswer, 'refused' | 'undecided'>> {
    const answer = this.#last.then(() => this.#answer(claim));
    this.#last = answer.catch(() => undefined); // the caller hears of it
    return answer;
  }

  forget(id: string): void {
    this.#served.delete(id);
    this.#waiting.delete(id);
  }

  async #answer(claim: Claim): Promise<Pick<FleetAnswer, 'refused' | 'undecided'>> {
    const { id, hostId, hostName, marks } = claim;
    const served = this.#served.get(id);
    if (!marks) {
      if (served) served.at = this.#now(); // its engine is away: what it last saw stays
      return {};
    }
    const holder = this.#book.holderOf(hostId);
    const fits = holder === undefined || marks.own === holder.mark || marks.seen.includes(holder.mark);
    if (served) return this.#again(served, claim, fits);
    if (!fits) return refusal(claim, holder.hostName);
    const others = this.#othersOf(claim);
    const doubtful = others.find((one) => !one.marks?.seen.includes(marks.own));
    if (doubtful) {
      const since = this.#waiting.get(id) ?? this.#now();
      this.#waiting.set(id, since);
      return this.#now() - since > UNDECIDED_MS ? refusal(claim, doubtful.hostName) : { undecided: true };
    }
    await this.#book.keep(hostId, { mark: marks.own, hostName });
    this.#waiting.delete(id);
    this.#served.set(id, { ...claim, at: this.#now(), strikes: 0 });
    return {};
  }

  /** ID-3 */
  #again(served: Served, claim: Claim, fits: boolean): Pick<FleetAnswer, 'refused'> {
    const strikes = fits ? 0 : served.strikes + 1;
    this.#served.set(claim.id, { ...claim, at: this.#now(), strikes });
    if (strikes < MAX_STRIKES) return {};
    this.#served.delete(claim.id);
    return refusal(claim, this.#book.holderOf(claim.hostId)?.hostName ?? '');
  }

  /** ID-2 */
  #othersOf({ id, hostId, marks }: Claim): Served[] {
    for (const [of, { at }] of this.#served) if (this.#now() - at > SILENT_MS) this.#served.delete(of);
    return [...this.#served.values()].filter(
      (one) => one.id !== id && one.hostId === hostId && one.marks?.way !== marks?.way,
    );
  }
}

const refusal = ({ hostName, hostId }: Claim, holder: string): Pick<FleetAnswer, 'refused'> => ({
  refused: {
    message: `The engine of ${hostName} has the davit id of ${holder === hostName ? 'another machine with that name' : holder} (${hostId}): its disk is a copy, or an older state.`,
  },
});
