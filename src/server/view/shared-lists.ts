/** Lists of pipelines for pages: any number of visitors of one list cost one reading in a while. */
import type { ProjectSlug } from '../../plan/model/ids.ts';
import type { PipelineSummary } from '../../plan/model/records.ts';
import type { Views } from '../views.ts';

const KEPT_MS = 2_000;
const LIMIT = { all: 200, project: 50 } as const;
/** Only lists of projects that exist are kept longer than their reading. */
const MAX_KEPT = 500;

export class SharedLists {
  readonly #views: Pick<Views, 'list'>;
  readonly #now: () => number;
  readonly #kept = new Map<string, { at: number; list: Promise<PipelineSummary[]> }>();

  constructor(views: Pick<Views, 'list'>, now: () => number = Date.now) {
    this.#views = views;
    this.#now = now;
  }

  all = (): Promise<PipelineSummary[]> => this.#shared('', () => this.#views.list({ limit: LIMIT.all }));

  of = (project: ProjectSlug): Promise<PipelineSummary[]> =>
    this.#shared(project, () => this.#views.list({ project, limit: LIMIT.project }));

  #shared(name: string, read: () => Promise<PipelineSummary[]>): Promise<PipelineSummary[]> {
    const known = this.#kept.get(name);
    if (known && this.#now() - known.at < KEPT_MS) return known.list;
    const entry = { at: this.#now(), list: read() };
    this.#kept.delete(name);
    this.#kept.set(name, entry);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    entry.list.catch(() => {
      // The callers have the failure; the next one reads again.
      if (this.#kept.get(name) === entry) this.#kept.delete(name);
    });
    return entry.list;
  }
}
