/**
 * How a container starts the supervisor, given the entrypoint that comes before it. As in GitLab, the image's own
 * entrypoint runs the script, unless the job sets another one. GitLab's runner writes the script to the standard input
 * of whatever shell the entrypoint starts; davit names the file in the form that this shell takes. Pure.
 */
import { quote } from '../../../src/utils/shell-quote.ts';
import { SUPERVISOR } from './supervisor-script.ts';

export interface StartCommand {
  /** Undefined: the image's own. */
  entrypoint?: string[];
  command: string[];
  /** A program of the image or the job runs before the script, and may read variables. */
  foreign: boolean;
}

/** A program name, with or without its folder: bash, /bin/sh, /busybox/sh. */
const SHELL = /^(?:\S*\/)?(?:ba|da|a|z|k|mk)?sh$/;
/** `-c`, `-lc`, `-ec`: what follows is a text to run, and more words are its `$0`, `$1`. */
const TAKES_TEXT = /^-[a-zA-Z]*c$/;
/** `-o pipefail`, `-eo pipefail`: the next word belongs to it. */
const TAKES_NAME = /^[-+][a-zA-Z]*[oO]$/;
const OPTION = /^(?:--?|\+)[a-zA-Z]+$/;
/** A text that only starts a shell, as `ENTRYPOINT /bin/bash -l` gives it. */
const ONLY_A_SHELL = /^\s*(?:exec\s+)?(\S+)((?:\s+--?[a-z]+)*)\s*$/;

/** `own`: the entrypoint of the job, where empty strings mean none; otherwise that of the image counts. */
export function startCommand(own: readonly string[] | undefined, image: readonly string[]): StartCommand {
  const set = own === undefined ? undefined : own.length === 0 ? [''] : [...own];
  const words = (set ?? image).filter((word) => word !== '');
  const entrypoint = set === undefined ? {} : { entrypoint: set };
  const shell = words.findLastIndex((word) => SHELL.test(word));
  const foreign = shell > 0 || (shell === -1 && words.length > 0);
  const plain = { ...entrypoint, command: ['sh', SUPERVISOR], foreign: words.length > 0 };
  if (shell === -1) return plain;
  const last = words.at(-1) ?? '';
  // `sh -c`: more words would be the arguments of the text, so all of it is one text.
  if (TAKES_TEXT.test(last)) return { ...entrypoint, command: [`exec sh ${quote(SUPERVISOR)}`], foreign };
  if (TAKES_TEXT.test(words.at(-2) ?? '')) {
    const [, program = '', flags = ''] = ONLY_A_SHELL.exec(last) ?? [];
    if (!SHELL.test(program)) return plain;
    // `sh -c bash`: the inner shell would read standard input, which is empty.
    const inner = `exec ${program}${flags} ${quote(SUPERVISOR)}`;
    return { entrypoint: [...words.slice(0, -1), inner], command: ['davit'], foreign: words.length > 3 };
  }
  // `bash`, `bash -l`: the next word is a file to run.
  return areOptions(words.slice(shell + 1)) ? { ...entrypoint, command: [SUPERVISOR], foreign } : plain;
}

function areOptions(words: readonly string[]): boolean {
  const [first, ...rest] = words;
  if (first === undefined) return true;
  if (TAKES_NAME.test(first)) return rest.length > 0 && areOptions(rest.slice(1));
  return OPTION.test(first) && areOptions(rest);
}
