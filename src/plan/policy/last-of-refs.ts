/**
 * The records of the last pipeline of each branch and tag that succeeded, and of its children: their artifacts stay when
 * they have expired, as in GitLab ("keep artifacts from most recent successful jobs"). Pure.
 */
import type { PipelineEntry, PipelineSummary } from '../model/records.ts';

type Entry = Pick<PipelineEntry, 'record'> & {
  summary: Pick<PipelineSummary, 'project' | 'ref' | 'sha' | 'number'> & { source: string; state: string };
};

export class LastOfRefs {
  readonly #last = new Map<string, Entry>();
  readonly #children: Entry[] = [];
  #kept: ReadonlySet<string> | undefined;

  see(entry: Entry): void {
    // A merge request has no end that is known here: its artifacts would stay for ever.
    if (entry.summary.state !== 'success' || entry.summary.ref.startsWith('refs/')) return;
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
