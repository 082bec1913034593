/**
 * The invisible last line of a job's container: a reader that has seen it has read all of the log. An engine
 * that dies without live-restore loses output that nobody has read, and does not report that afterwards.
 */
import { quote } from '../../../src/utils/shell-quote.ts';

/** An application program command of ECMA-48: a terminal that receives it shows nothing. */
const markOf = (container: string): string => `\u001b_${container} ends\u001b\\`;

/** POSIX sh. */
export const endMarkScript = (container: string): string => `printf '%s\\n' ${quote(markOf(container))}\n`;

/**
 * The content of a record before the mark, or undefined without a mark: the script's last line need not end
 * with a newline.
 */
export function withoutEndMark(bytes: Uint8Array, container: string): Uint8Array | undefined {
  const mark = Buffer.from(`${markOf(container)}\n`);
  const at = bytes.length - mark.length;
  return at >= 0 && mark.equals(bytes.subarray(at)) ? bytes.subarray(0, at) : undefined;
}
