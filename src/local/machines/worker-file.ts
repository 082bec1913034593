/** `worker.yml` of a machine: what is asked for is changed in place, so that a person's own lines and comments stay. */
import { isDeepStrictEqual } from 'node:util';
import { type Document, parseDocument } from 'yaml';
import { DavitError } from '../../errors.ts';
import { parseWorkerConfig } from '../../compiler/installation-file.ts';

/** Undefined: as it is. */
export interface WorkerWishes {
  tags?: string[] | undefined;
  slots?: number | undefined;
  projects?: string[] | undefined;
  protected_only?: boolean | undefined;
  forks?: boolean | undefined;
  variant?: 'v6' | 'v7' | undefined;
}

/** As people write it. */
const LAYOUT = { flowCollectionPadding: false, lineWidth: 0 };
const HEADER = '# What this machine gives to jobs: docs/installation.md#a-worker\n';

/** The new text. Pure. Throws `installation/invalid`. */
export function withWishes(before: string | undefined, wishes: WorkerWishes, file: string): string {
  const document: Document = parseDocument(before ?? HEADER);
  const now: unknown = document.errors.length > 0 ? undefined : document.toJS();
  const is = new Map(Object.entries(typeof now === 'object' && now !== null ? now : {}));
  const changes = Object.entries(wishes).filter(
    ([name, value]) => value !== undefined && !isDeepStrictEqual(is.get(name), value),
  );
  for (const [name, value] of changes) document.set(name, value);
  const text = changes.length === 0 ? (before ?? HEADER) : document.toString(LAYOUT);
  const answer = parseWorkerConfig(text, file);
  if (answer.ok) return text;
  const [first] = answer.problems;
  throw new DavitError('installation/invalid', first?.message ?? `${file} is not valid.`, {
    place: first?.place,
    hint: first?.hint,
  });
}
