/** Messages of a background `davit up` to the command that started it. */
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

/** Does nothing if the process was not started by a davit command. */
export function notifyStarter(message: UpMessage): void {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined); // the starter may have ended
}
