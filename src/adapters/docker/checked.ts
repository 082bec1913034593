/** An engine's response in the shape that davit expects of it. Pure. */
import type { z } from 'zod';
import { DavitError } from '../../errors.ts';

/**
 * `action` completes the sentence "Cannot …". Throws `engine/failed` for a response of another shape, and names the
 * first differences.
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  response: unknown,
  action: string,
): z.output<Schema> {
  const found = schema.safeParse(response);
  if (found.success) return found.data;
  const differences = found.error.issues.map(
    ({ path, message }) => `${path.join('.') || '(all)'}: ${message}`,
  );
  throw new DavitError(
    'engine/failed',
    `Cannot ${action}: the response of the engine has an unknown form (${differences.slice(0, 3).join('; ')}).`,
    { cause: found.error },
  );
}
