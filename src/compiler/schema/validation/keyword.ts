import type { z } from 'zod';

export type KeywordStatus = 'same' | 'differs' | 'davit' | 'refused';
export interface KeywordInfo {
  name: string;
  /** Where it may stand. */
  in: readonly ('top' | 'default' | 'job')[];
  status: KeywordStatus;
  /** How it differs, or why it is refused. */
  note?: string;
  /** What to do instead of a refused one. */
  hint?: string;
  schema?: z.ZodType;
}
