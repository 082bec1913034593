/**
 * Bounds how many unknown tokens are tried, from one address and in all. A bucket of guesses fills up again with
 * time, so that a typing mistake costs nothing. Pure but for the clock.
 */
import { isIPv6 } from 'node:net';

const PER_MINUTE = { address: 10, all: 300 } as const;
const MINUTE_MS = 60_000;
/** The one that was used longest ago is forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Bucket {
  left: number;
  at: number;
}

export class Guesses {
  readonly #addresses = new Map<string, Bucket>();
  readonly #now: () => number;
  #all: Bucket;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#all = { left: PER_MINUTE.all, at: now() };
  }

  /** Whether one more guess may be checked. */
  mayTry(address: string): boolean {
    const one = this.#addresses.get(networkOf(address));
    return (
      (!one || this.#filled(one, PER_MINUTE.address).left >= 1) &&
      this.#filled(this.#all, PER_MINUTE.all).left >= 1
    );
  }

  /** The guess was wrong. */
  missed(address: string): void {
    const network = networkOf(address);
    const one = this.#addresses.get(network) ?? { left: PER_MINUTE.address, at: this.#now() };
    this.#addresses.delete(network);
    this.#addresses.set(network, this.#less(one, PER_MINUTE.address));
    this.#all = this.#less(this.#all, PER_MINUTE.all);
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size > MAX_ADDRESSES && oldest !== undefined) this.#addresses.delete(oldest);
  }

  #filled({ left, at }: Bucket, perMinute: number): Bucket {
    const now = this.#now();
    return { left: Math.min(perMinute, left + (Math.max(0, now - at) * perMinute) / MINUTE_MS), at: now };
  }

  #less(bucket: Bucket, perMinute: number): Bucket {
    const { left, at } = this.#filled(bucket, perMinute);
    return { left: Math.max(0, left - 1), at };
  }
}

/** Who has one address of IPv6 has all of its /64. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.toLowerCase().startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail?.split(':').filter((group) => group !== '') ?? [];
  const all = [...groups, ...Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0'), ...rest];
  return all.slice(0, 4).join(':');
}
