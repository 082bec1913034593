/** An engine's response in the shape that davit expects of it. Pure. */
import type { z } from 'zod';
import { DavitError } from '../../errors.ts';

/** `what` was asked, for a person. Throws `engine/failed` for a response of another shape, with the place of each difference. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  response: unknown,
  what: string,
): z.output<Schema> {
  const found = schema.safeParse(response);
  if (found.success) return found.data;
  const where = found.error.issues.map(({ path, message }) => `${path.join('.') || '(all)'}: ${message}`);
  throw new DavitError(
    'engine/failed',
    `Cannot ${what}: the response of the engine has an unknown form (${where.slice(0, 3).join('; ')}).`,
    { cause: found.error },
  );
}
