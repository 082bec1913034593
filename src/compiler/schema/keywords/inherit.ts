/** Which of the file's defaults and variables a job inherits. */
import { z } from 'zod';
import { name } from './common.ts';

const defaultKeyword = z.enum([
  'after_script',
  'arch',
  'artifacts',
  'before_script',
  'cache',
  'hooks',
  'id_tokens',
  'identity',
  'image',
  'interruptible',
  'retry',
  'services',
  'tags',
  'timeout',
]);

export const inherit = z.strictObject({
  default: z.union([z.boolean(), z.array(defaultKeyword)]).optional(),
  variables: z.union([z.boolean(), z.array(name)]).optional(),
});

/** Whether one of its two parts includes a key; without it everything is included. */
export const inherits = (part: boolean | readonly string[] | undefined, key: string): boolean =>
  typeof part === 'object' ? part.includes(key) : (part ?? true);
