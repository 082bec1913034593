/**
 * The records of the last pipeline of each branch and tag that succeeded, and of its children: their artifacts stay when
 * they have expired, as in GitLab ("keep artifacts from most recent successful jobs").
 */
import { z } from 'zod';

const entrySchema = z.object({
  record: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  summary: z.object({
    project: z.string(),
    ref: z.string(),
    sha: z.string(),
    number: z.number(),
    source: z.string(),
    state: z.string(),
  }),
});
type Entry = z.output<typeof entrySchema>;

export class LastOfRefs {
  readonly #last = new Map<string, Entry>();
  readonly #children: Entry[] = [];
  #kept: ReadonlySet<string> | undefined;

  /** Any record; those that are not of a pipeline change nothing. */
  see(record: unknown): void {
    const { data: entry } = entrySchema.safeParse(record);
    // A merge request has no end that is known here: its artifacts would stay for ever.
    if (!entry || entry.summary.state !== 'success' || entry.summary.ref.startsWith('refs/')) return;
    if (entry.summary.source === 'parent_pipeline') this.#children.push(entry);
    else if ((this.#last.get(refOf(entry))?.summary.number ?? 0) < entry.summary.number)
      this.#last.set(refOf(entry), entry);
  }

  /** After the last `see`. `hex`: digest of a record. */
  has(hex: string): boolean {
    this.#kept ??= new Set(
      [
        ...this.#last.values(),
        ...this.#children.filter((one) => this.#last.get(refOf(one))?.summary.sha === one.summary.sha),
      ].map(({ record }) => record.slice('sha256:'.length)),
    );
    return this.#kept.has(hex);
  }
}

const refOf = ({ summary: { project, ref } }: Entry): string => JSON.stringify([project, ref]);
