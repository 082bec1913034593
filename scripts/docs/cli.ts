/** docs/cli.md: every command of `davit`, from commander's own program. */
import { PassThrough } from 'node:stream';
import type { Command, Help } from 'commander';
import type { Cli } from '../../src/cli/cli.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { readSettings } from '../../src/config.ts';
import { table } from './markdown.ts';

const HEAD = `# Command line
\`davit COMMAND --help\` shows the same on the terminal. \`npm run docs\` writes this page from the program itself.
`;
const EXIT_CODES = `## Exit codes
| code | meaning |
| --- | --- |
| 0 | success |
| 1 | a pipeline or check failed |
| 2 | wrong usage or input |
| 3 | something that is needed cannot be reached |
`;
const WIDTH = 100;

export function cliPage(): string {
  const written: string[] = [];
  const program = buildProgram(silentCli((text) => written.push(text)));
  const help = program.createHelp();
  const commands = help
    .visibleCommands(program)
    .filter((command) => command.name() !== 'help')
    .map((command) => section(command, help, extraHelp(command, written)));
  return [HEAD, index(program, help), EXIT_CODES, ...commands].join('\n');
}

/** The arguments to build the program; nothing of it runs. */
const silentCli = (write: (text: string) => void): Cli => ({
  settings: readSettings({}),
  cwd: '/',
  exit: 0,
  io: {
    out: write,
    outClosed: new AbortController().signal,
    err: write,
    stdin: new PassThrough(),
    interactive: false,
    outColor: false,
    errColor: false,
    columns: WIDTH,
  },
});

function index(program: Command, help: Help): string {
  const rows = help
    .visibleCommands(program)
    .filter((command) => command.name() !== 'help')
    .map((command) => [
      `[\`davit ${command.name()}\`](#davit-${command.name()})`,
      help.subcommandDescription(command),
    ]);
  return `${table(['command', 'what it does'], rows)}\n`;
}

function section(command: Command, help: Help, extra: string): string {
  const options = help
    .visibleOptions(command)
    .filter((option) => option.long !== '--help')
    .map((option) => [`\`${help.optionTerm(option)}\``, help.optionDescription(option)]);
  const args = help
    .visibleArguments(command)
    .map((argument) => [`\`${help.argumentTerm(argument)}\``, help.argumentDescription(argument)]);
  const parts = [
    `## davit ${command.name()}`,
    `${sentence(help.commandDescription(command))}\n`,
    `\`\`\`\n${help.commandUsage(command)}\n\`\`\``,
  ];
  if (args.length > 0) parts.push('', table(['argument', 'meaning'], args));
  if (options.length > 0) parts.push('', table(['option', 'meaning'], options));
  if (extra !== '') parts.push('', `\`\`\`text\n${extra}\n\`\`\``);
  return `${parts.join('\n')}\n`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** The text after the options, mostly examples. Commander writes it only together with the rest. */
function extraHelp(command: Command, written: string[]): string {
  written.length = 0;
  command.outputHelp();
  const whole = written.join('');
  const usual = command.helpInformation();
  return whole.startsWith(usual) ? whole.slice(usual.length).trim() : '';
}
