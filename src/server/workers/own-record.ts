/** A record that this process alone writes: it is read once, and changed one change after the other. */
import type { RecordStore } from '../../adapters/ports.ts';

export class OwnRecord<T extends object> {
  readonly #records: RecordStore;
  readonly #name: Parameters<RecordStore['put']>[0];
  #value: T;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(records: RecordStore, name: Parameters<RecordStore['put']>[0], value: T) {
    this.#records = records;
    this.#name = name;
    this.#value = value;
  }

  /** `empty`: fields that the stored record may lack. */
  static async open<T extends object>(
    records: RecordStore,
    name: Parameters<RecordStore['put']>[0],
    empty: T,
  ): Promise<OwnRecord<T>> {
    const known = await records.get<Partial<T>>(name);
    return new OwnRecord(records, name, { ...empty, ...known });
  }

  /** As it is stored. */
  get value(): T {
    return this.#value;
  }

  /** Rejects with what `change` throws; then nothing is changed. */
  async change(change: (value: T) => T): Promise<void> {
    const done = this.#last.then(async () => {
      const next = change(this.#value);
      await this.#records.put(this.#name, next);
      this.#value = next;
    });
    this.#last = done.catch(() => undefined); // the caller hears of it
    return done;
  }
}
