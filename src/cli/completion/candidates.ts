/** What may follow on a command line of `davit` (pure). */
import type { Command, Option } from 'commander';

export interface Candidate {
  text: string;
  about: string;
}
export interface Completion {
  candidates: Candidate[];
  /** The shell completes names of files: the word is the value of an option, or an argument. */
  files: boolean;
}

/**
 * Completes the last of `words`, which may be empty; the first one is not `davit` but what follows it. A
 * placeholder such as `<path>` or `[file]` stands for the name of a file.
 */
export function complete(program: Command, words: readonly string[]): Completion {
  const last = words.at(-1) ?? '';
  const { command, option, values } = walk(program, words.slice(0, -1));
  if (option) return ofValue(option.argChoices, option.flags, last);
  if (last.startsWith('-')) return { candidates: starting(optionsOf(command), last), files: false };
  const subcommands = commandsOf(command);
  if (subcommands.length > 0) return { candidates: starting(subcommands, last), files: false };
  const expected = command.registeredArguments;
  const argument = expected[values] ?? (expected.at(-1)?.variadic ? expected.at(-1) : undefined);
  return ofValue(argument?.argChoices, argument?.name() ?? '', last);
}

const ofValue = (choices: readonly string[] | undefined, placeholder: string, last: string): Completion =>
  choices
    ? {
        candidates: starting(
          choices.map((text) => ({ text, about: '' })),
          last,
        ),
        files: false,
      }
    : { candidates: [], files: /file|path|folder/.test(placeholder.replace(/^.*--\S+/, '')) };

interface Position {
  command: Command;
  /** The option that waits for its value. */
  option?: Option | undefined;
  /** How many values the command has already. */
  values: number;
}

/** Where the words lead to. */
function walk(program: Command, words: readonly string[]): Position {
  const at: Position = { command: program, values: 0 };
  for (const word of words) {
    if (at.option) at.option = undefined;
    else if (word.startsWith('-'))
      at.option = at.command.options.find((one) => [one.long, one.short].includes(word) && one.required);
    else step(at, word);
  }
  return at;
}

function step(at: Position, word: string): void {
  const next = at.command.commands.find((one) => one.name() === word || one.aliases().includes(word));
  if (next) at.command = next;
  else at.values += 1;
}

const commandsOf = (command: Command): Candidate[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ text: one.name(), about: one.description() }));

const optionsOf = (command: Command): Candidate[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .map((one) => ({ text: one.long ?? one.short ?? one.flags, about: one.description }));

const starting = (candidates: readonly Candidate[], prefix: string): Candidate[] =>
  candidates.filter((one) => one.text.startsWith(prefix));
