/**
 * How an attempt ended that leaves no container to read it from: told in the store before it is told to
 * Temporal, so that the next process can report it again where that report was lost.
 */
import type { RecordStore } from '../../../src/adapters/ports.ts';
import type { JobResult } from '../../../src/plan/model/outcome.ts';

const recordName = (attempt: string): string => `ends/${attempt}`;
type Stores = { records: Pick<RecordStore, 'put' | 'get'> };

/** What is said to people in it is masked already; `log` is not known yet. */
export const saveEndNote = ({ records }: Stores, attempt: string, result: JobResult): Promise<void> =>
  records.put<JobResult>(recordName(attempt), result);

export const loadEndNote = ({ records }: Stores, attempt: string): Promise<JobResult | undefined> =>
  records.get<JobResult>(recordName(attempt));
