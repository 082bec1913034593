/**
 * Notes how an attempt ended if no container remains to read that from. The note is stored before Temporal
 * gets the result, so that the next process can report it again if that report was lost.
 */
import { endRecordName } from '../../../src/plan/model/records.ts';
import type { RecordStore } from '../../../src/adapters/ports.ts';
import type { JobResult } from '../../../src/plan/model/outcome.ts';

type Stores = { records: Pick<RecordStore, 'put' | 'get'> };

/** Messages for people in it are masked already; `log` is not known yet. */
export const saveEndNote = ({ records }: Stores, attempt: string, result: JobResult): Promise<void> =>
  records.put<JobResult>(endRecordName(attempt), result);

export const loadEndNote = ({ records }: Stores, attempt: string): Promise<JobResult | undefined> =>
  records.get<JobResult>(endRecordName(attempt));
