/**
 * Role: keeps what forges delivered for people who ask why a push started nothing, and counts what was not signed.
 * Not its role: the audit trail, and the response to the forge: a full disk changes neither.
 */
import type { RecordStore, DeliveryLog } from '../../adapters/ports.ts';
import {
  UNSIGNED_DELIVERIES_RECORD,
  type Delivery,
  type UnsignedDeliveries,
} from '../../plan/model/delivery.ts';
import type { ServerLog } from '../log.ts';

/** A flood of unsigned deliveries is written this often at most. */
const WRITE_MS = 2_000;

interface NotesDeps {
  deliveries: DeliveryLog;
  records: Pick<RecordStore, 'get' | 'put'>;
  log: ServerLog;
}

export class DeliveryNotes {
  readonly #deps: NotesDeps;
  #counts: Promise<Map<string, UnsignedDeliveries>> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  constructor(deps: NotesDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  note(entry: Delivery): void {
    const { deliveries, log } = this.#deps;
    void deliveries.append(entry).then((kept) => {
      if (!kept && !this.#told)
        log.warn('deliveries of forges cannot be written down for `davit deliveries`');
      this.#told = !kept;
    });
  }

  /** Never rejects. */
  countUnsigned(of: Omit<UnsignedDeliveries, 'count'>): void {
    const key = `${of.forge} ${of.project ?? ''}`;
    void this.#known().then((counts) => {
      counts.set(key, { ...of, count: (counts.get(key)?.count ?? 0) + 1 });
      this.#timer ??= setTimeout(() => void this.#write(), WRITE_MS).unref();
    });
  }

  async unsigned(): Promise<UnsignedDeliveries[]> {
    return [...(await this.#known()).values()];
  }

  async close(): Promise<void> {
    if (this.#timer) await this.#write();
  }

  /** What was counted before a restart. */
  #known(): Promise<Map<string, UnsignedDeliveries>> {
    this.#counts ??= this.#deps.records.get<UnsignedDeliveries[]>(UNSIGNED_DELIVERIES_RECORD).then(
      (stored) => new Map((stored ?? []).map((one) => [`${one.forge} ${one.project ?? ''}`, one])),
      () => new Map(), // unreadable: counted from now on
    );
    return this.#counts;
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      await this.#deps.records.put(UNSIGNED_DELIVERIES_RECORD, await this.unsigned());
    } catch {
      // A full disk: the next count writes them again.
    }
  }
}
