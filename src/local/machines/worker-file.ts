/** `worker.yml` of a machine: what is asked for is changed in place, so that a person's own lines and comments stay. */
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

const HEADER = '# What this machine gives to jobs: docs/installation.md#a-worker\n';

/** The new text. Pure. Throws `installation/invalid`. */
export function withWishes(before: string | undefined, wishes: WorkerWishes, file: string): string {
  const document: Document = parseDocument(before ?? HEADER);
  for (const [name, value] of Object.entries(wishes)) if (value !== undefined) document.set(name, value);
  const text = document.contents === null ? (before ?? HEADER) : document.toString();
  const answer = parseWorkerConfig(text, file);
  if (answer.ok) return text;
  const [first] = answer.problems;
  throw new DavitError('installation/invalid', first?.message ?? `${file} is not valid.`, {
    place: first?.place,
    hint: first?.hint,
  });
}
