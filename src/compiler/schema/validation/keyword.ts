import type { z } from 'zod';

export type KeywordStatus = 'same' | 'differs' | 'davit' | 'refused';
export interface KeywordInfo {
  name: string;
  /** Where it is allowed. */
  in: readonly ('top' | 'default' | 'job')[];
  status: KeywordStatus;
  /** How it differs, or why it is refused. */
  note?: string;
  /** What to use instead of a refused keyword. */
  hint?: string;
  schema?: z.ZodType;
}
