/** What the server keeps of its machines beyond a restart: who drains, who was seen when, and the newest mark of each id. */
import type { RecordStore } from '../../adapters/ports.ts';
import type { SeenWorker } from '../../plan/model/fleet.ts';
import { FLEET_RECORD } from '../../plan/model/records.ts';
import type { HolderBook } from './host-ids.ts';
import { OwnRecord } from './own-record.ts';

const MAX_MACHINES = 5_000;
/** A machine that goes without a word was seen at most so long before what the record says. */
const SEEN_EVERY_MS = 5 * 60_000;

interface Holder {
  mark: string;
  hostName: string;
  at: number;
}
interface Document {
  drained: Record<string, { by: string; at: number }>;
  seen: Record<string, SeenWorker>;
  holders: Record<string, Holder>;
}

export class FleetBook implements HolderBook {
  readonly #record: OwnRecord<Document>;
  /** By name, since the last write. */
  readonly #seen = new Map<string, SeenWorker>();

  private constructor(record: OwnRecord<Document>) {
    this.#record = record;
  }

  static async open(records: RecordStore): Promise<FleetBook> {
    return new FleetBook(
      await OwnRecord.open<Document>(records, FLEET_RECORD, { drained: {}, seen: {}, holders: {} }),
    );
  }

  drainedSince = (name: string): number | undefined =>
    Object.hasOwn(this.#record.value.drained, name) ? this.#record.value.drained[name]?.at : undefined;

  async drain(name: string, by: string | undefined): Promise<void> {
    await this.#record.change(({ drained, ...rest }) => {
      const { [name]: _, ...others } = drained;
      return { ...rest, drained: by === undefined ? others : { ...others, [name]: { by, at: Date.now() } } };
    });
  }

  seen(): SeenWorker[] {
    return Object.values({ ...this.#record.value.seen, ...Object.fromEntries(this.#seen) });
  }

  /** Written at once for a new machine, and now and then for others. */
  async see(worker: SeenWorker): Promise<void> {
    this.#seen.set(worker.name, worker);
    const known = Object.hasOwn(this.#record.value.seen, worker.name)
      ? this.#record.value.seen[worker.name]
      : undefined;
    if (known && worker.seenAt - known.seenAt < SEEN_EVERY_MS) return;
    await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#seen.size === 0) return;
    await this.#record.change(({ seen, ...rest }) => {
      const all = { ...seen, ...Object.fromEntries(this.#seen) };
      this.#seen.clear();
      return { ...rest, seen: newest(all, (one) => one.seenAt) };
    });
  }

  async forget(name: string): Promise<void> {
    this.#seen.delete(name);
    await this.#record.change(({ seen, drained, ...rest }) => {
      const { [name]: _seen, ...otherSeen } = seen;
      const { [name]: _drained, ...otherDrained } = drained;
      return { ...rest, seen: otherSeen, drained: otherDrained };
    });
  }

  holderOf = (hostId: string): Holder | undefined =>
    Object.hasOwn(this.#record.value.holders, hostId) ? this.#record.value.holders[hostId] : undefined;

  async keep(hostId: string, holder: { mark: string; hostName: string }): Promise<void> {
    await this.#record.change(({ holders, ...rest }) => ({
      ...rest,
      holders: newest({ ...holders, [hostId]: { ...holder, at: Date.now() } }, (one) => one.at),
    }));
  }
}

function newest<T>(all: Record<string, T>, at: (one: T) => number): Record<string, T> {
  const entries = Object.entries(all);
  if (entries.length <= MAX_MACHINES) return all;
  return Object.fromEntries(entries.sort((a, b) => at(b[1]) - at(a[1])).slice(0, MAX_MACHINES));
}
