/** What a background `davit up` tells the command that started it. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../errors.ts';

const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('line'), text: z.string() }),
  z.object({ kind: z.literal('up') }),
  z.object({
    kind: z.literal('failed'),
    code: z.string().refine((code): code is ErrorCode => Object.hasOwn(ERRORS, code)),
    message: z.string(),
    hint: z.string(),
  }),
]);
export type UpMessage = z.infer<typeof schema>;

export function readUpMessage(value: unknown): UpMessage | undefined {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Nobody listens when it was not started by a command of davit. */
export function tellStarter(message: UpMessage): void {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined); // whoever asked may be gone
}
