/** `davit completion`: the completion script of a shell; and `davit complete`, which that script asks. */
import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.ts';

export function completionCommand(program: Command, cli: Cli): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
bash: davit completion bash > ~/.local/share/bash-completion/completions/davit
zsh:  davit completion zsh > a file _davit in a folder of $fpath
fish: davit completion fish > ~/.config/fish/completions/davit.fish

Example:
  $ source <(davit completion bash)`,
    )
    .action((shell: Shell) => cli.io.out(completionScript(shell)));
  program
    .command('complete', { hidden: true })
    .description('print what may follow on a command line; the scripts of the shells ask it')
    .argument('[word...]', 'the words after davit; the last one is completed')
    .addHelpText('after', '\nExample:\n  $ davit complete -- wor')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const { complete } = await import('../completion/candidates.ts');
      const { candidates, files } = complete(program, words);
      for (const { text, about } of candidates) cli.io.out(`${text}\t${about}\n`);
      if (files) cli.io.out(':files\n');
    });
}
