/**
 * The last line that a job's container writes, and that no one sees: who has read it has read all of the log.
 * An engine that dies without live-restore loses what no one reads from the container meanwhile, and tells
 * nothing of it afterwards.
 */
import { quote } from '../shell-quote.ts';

/** An application program command of ECMA-48: where it is shown after all, a terminal shows nothing. */
const markOf = (container: string): string => `\u001b_${container} ends\u001b\\`;

/** POSIX sh. */
export const endMarkScript = (container: string): string => `printf '%s\\n' ${quote(markOf(container))}\n`;

/**
 * What a record holds before the mark, or undefined where it has none: the script's last line need not end
 * with a newline.
 */
export function beforeEnd(bytes: Uint8Array, container: string): Uint8Array | undefined {
  const mark = Buffer.from(`${markOf(container)}\n`);
  const at = bytes.length - mark.length;
  return at >= 0 && mark.equals(bytes.subarray(at)) ? bytes.subarray(0, at) : undefined;
}
