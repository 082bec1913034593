/**
 * `parallel`: one job of the file becomes several, with names as GitLab writes them: `job 1/3`, `job: [a,
 * b]`. A matrix is every combination of its entries' values, entry by entry, the last variable varying first.
 */
import type { MatrixEntry } from '../schema/keywords/parallel.ts';
import type { JobValues } from '../schema/keyword-table.ts';

/** What distinguishes one parallel job from the others. */
export interface ParallelShare {
  /** CI_NODE_INDEX, from 1. */
  index: number;
  /** CI_NODE_TOTAL. */
  total: number;
  /** Variables of the matrix; they override those of the job. */
  values: Readonly<Record<string, string>>;
}
export interface Parallel {
  key: string;
  share: ParallelShare;
}

/**
 * The jobs that `name` becomes; undefined when it stays one. If two have the same name, the last one counts.
 */
export function parallelOf(name: string, written: JobValues['parallel']): Parallel[] | undefined {
  if (written === undefined) return undefined;
  if (typeof written === 'number')
    return Array.from({ length: written }, (_, index) => ({
      key: `${name} ${index + 1}/${written}`,
      share: { index: index + 1, total: written, values: {} },
    }));
  const all = combinations(written.matrix);
  const byKey = new Map<string, Parallel>();
  for (const [index, values] of all.entries()) {
    const key = matrixKey(name, values);
    byKey.set(key, { key, share: { index: index + 1, total: all.length, values } });
  }
  return [...byKey.values()];
}

export const matrixKey = (name: string, values: Readonly<Record<string, string>>): string =>
  `${name}: [${Object.values(values).join(', ')}]`;

export function combinations(entries: readonly MatrixEntry[]): Record<string, string>[] {
  return entries.flatMap((entry) => {
    let rows: Record<string, string>[] = [{}];
    for (const [name, list] of Object.entries(entry))
      rows = rows.flatMap((row) => list.map((value) => ({ ...row, [name]: value })));
    return rows;
  });
}

/**
 * The keys that a need with `parallel: matrix` names; `$[[ matrix.NAME ]]` is the needing job's own value.
 */
export function neededKeys(
  need: { job: string; matrix: MatrixEntry[] },
  own: ParallelShare | undefined,
): string[] {
  return combinations(need.matrix).map((row) =>
    matrixKey(
      need.job,
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, withOwn(value, own)])),
    ),
  );
}

const withOwn = (text: string, own: ParallelShare | undefined): string =>
  text.replace(
    /\$\[\[\s*matrix\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\]\]/g,
    (whole, name: string) => own?.values[name] ?? whole,
  );

/** Replaces a tag that is a variable of the matrix, so that an architecture in it is known first. */
export const shareTag = (tag: string, share: ParallelShare | undefined): string => {
  const name = /^\$(?:\{(\w+)\}|(\w+))$/.exec(tag);
  return (name && share?.values[name[1] ?? name[2] ?? '']) ?? tag;
};
