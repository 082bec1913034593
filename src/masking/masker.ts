/**
 * Takes a text as chunks of any size and returns it with every secret replaced by `[MASKED]`. The caller
 * decides where chunks come from and when to flush; `forms.ts` decides what to hide.
 *
 * Invariants: MASK-1 The whole output is a function of the whole input: the division into chunks changes
 * nothing. MASK-2 A byte in any occurrence of any pattern is never returned; overlapping occurrences become
 * one `[MASKED]`. MASK-3 At most `longest - 1` bytes are held back, and only while they may be the beginning
 * of a secret. MASK-4 `idle` means that a new masker would return the same for what follows. Log checkpoints
 * are taken only there.
 */
import { type Automaton, buildAutomaton } from './automaton.ts';

const MASK = new TextEncoder().encode('[MASKED]');
const NOTHING = new Uint8Array(0);

/** A hidden range, positions in the work buffer. `printed`: its `[MASKED]` was already returned. */
interface Cover {
  start: number;
  end: number;
  printed: boolean;
}

export class Masker {
  readonly #automaton: Automaton | undefined;
  #node = 0;
  #held: Uint8Array = NOTHING;
  #covers: Cover[] = [];

  /** Patterns as `maskPatterns` makes them; one automaton serves any number of maskers. */
  constructor(automaton: Automaton | undefined) {
    this.#automaton = automaton;
  }

  /** True when nothing is held back. */
  get idle(): boolean {
    return this.#held.length === 0;
  }

  /** Takes the next chunk; returns what can be shown now. */
  push(chunk: Uint8Array): Uint8Array {
    const automaton = this.#automaton;
    if (automaton === undefined || chunk.length === 0) return this.#automaton ? NOTHING : chunk;
    const work = this.#held.length === 0 ? chunk : join([this.#held, chunk]);
    let node = this.#node;
    for (let at = this.#held.length; at < work.length; at++) {
      node = automaton.step(node, work[at] ?? 0);
      const length = automaton.cover[node] ?? 0;
      if (length > 0) this.#hide(at + 1 - length, at + 1);
    }
    this.#node = node;
    return this.#emit(work, work.length - (automaton.hold[node] ?? 0));
  }

  /** Ends the text: returns what was held back. The masker can then be used for another text. */
  flush(): Uint8Array {
    this.#node = 0;
    return this.#emit(this.#held, this.#held.length);
  }

  #hide(start: number, end: number): void {
    let from = start;
    let printed = false;
    for (let last = this.#covers.at(-1); last && from < last.end; last = this.#covers.at(-1)) {
      from = Math.min(from, last.start);
      printed ||= last.printed;
      this.#covers.pop();
    }
    this.#covers.push({ start: from, end, printed });
  }

  /** Returns everything before `safe`; no later match begins before it. */
  #emit(work: Uint8Array, safe: number): Uint8Array {
    const parts: Uint8Array[] = [];
    const rest: Cover[] = [];
    let at = 0;
    for (const cover of this.#covers) {
      if (cover.start >= safe && !cover.printed) {
        rest.push({ ...cover, start: cover.start - safe, end: cover.end - safe });
        continue;
      }
      if (cover.start > at) parts.push(work.subarray(at, cover.start));
      if (!cover.printed) parts.push(MASK);
      at = Math.min(cover.end, safe);
      if (cover.end > safe) rest.push({ start: 0, end: cover.end - safe, printed: true });
    }
    if (at < safe) parts.push(work.subarray(at, safe));
    this.#covers = rest;
    this.#held = safe === work.length ? NOTHING : work.slice(safe);
    return parts.length === 1 ? (parts[0] ?? NOTHING) : join(parts);
  }
}

/** One automaton for a set of patterns; undefined when there is nothing to hide. */
export const maskAutomaton = (patterns: readonly Uint8Array[]): Automaton | undefined =>
  patterns.length === 0 ? undefined : buildAutomaton(patterns);

/** Masks a complete text: messages, davit's own lines. */
export function maskText(automaton: Automaton | undefined, text: string): string {
  if (automaton === undefined) return text;
  const masker = new Masker(automaton);
  return new TextDecoder().decode(join([masker.push(new TextEncoder().encode(text)), masker.flush()]));
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
