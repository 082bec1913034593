/**
 * Values of variables on the machine, when dotenv reports and secrets are known: what the plan left open is filled in, and
 * values of reports are expanded like those of the file. Pure.
 */
import { expandLate } from './expand.ts';
import { firstStep, partsOfPieces, secondStep, type Piece } from './two-steps.ts';

export interface Settable {
  name: string;
  text: string;
  /** `plain`: as it is; `late`: from the plan, with `${NAME}` and `$$`; `dotenv`: as a report has it. */
  kind: 'plain' | 'late' | 'dotenv';
}

/** By name; of two with one name the later wins. A circle, which only a report can bring, is empty. */
export function lateValues(ascending: readonly Settable[]): Map<string, string> {
  const top = new Map<string, Settable>();
  const hidden = new Map<string, Settable>();
  for (const one of ascending) {
    const below = top.get(one.name);
    if (below) hidden.set(one.name, below);
    top.set(one.name, one);
  }
  const values = new Map<string, string>();
  const open = new Set<string>();
  const valueOf = (name: string): string | undefined => {
    const known = values.get(name);
    const settable = top.get(name);
    if (known !== undefined || !settable) return known;
    if (open.has(name)) return '';
    open.add(name);
    const value = textOf(settable, valueOf, hidden.get(name));
    open.delete(name);
    values.set(name, value);
    return value;
  };
  // In the order of the list, which is that of the variables of a job.
  return new Map([...top.keys()].map((name) => [name, valueOf(name) ?? '']));
}

type ValueOf = (name: string) => string | undefined;

function textOf({ name, text, kind }: Settable, valueOf: ValueOf, below: Settable | undefined): string {
  if (kind === 'plain') return text;
  if (kind === 'late') return expandLate(text, { get: valueOf });
  const reference = (inner: string, written: string): Piece[] | undefined => {
    // Its own name means what it replaces, as in the file.
    if (inner === name) return [{ fixed: below?.kind === 'plain' ? below.text : written }];
    const value = valueOf(inner);
    return value === undefined ? undefined : [{ fixed: value }];
  };
  const parts = secondStep(firstStep(text, reference), {
    valueOf: (inner) => partsOfPieces(reference(inner, '') ?? []),
    now: valueOf,
  });
  return parts.map((part) => (typeof part === 'string' ? part : '')).join('');
}
