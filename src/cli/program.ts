/** The `davit` command with all its commands. */
import { Command } from 'commander';
import { VERSION } from '../version.ts';
import type { Cli } from './cli.ts';
import { auditCommand } from './commands/audit.ts';
import { backupCommands } from './commands/backup.ts';
import { caCommand } from './commands/ca.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand, schemaCommand } from './commands/config.ts';
import { deliveriesCommand } from './commands/deliveries.ts';
import { decideCommands } from './commands/submit-decision.ts';
import { deployTokenCommand } from './commands/deploy-token.ts';
import { environmentsCommand } from './commands/environments.ts';
import { diskCommand } from './commands/disk.ts';
import { doctorCommand } from './commands/doctor.ts';
import { lintCommand } from './commands/lint.ts';
import { machineCommand } from './commands/machine.ts';
import { logsCommand } from './commands/logs.ts';
import { pipelinesCommand, statusCommand } from './commands/pipelines.ts';
import { planCommand } from './commands/plan.ts';
import { prepareCommand } from './commands/prepare.ts';
import { registryCommand } from './commands/registry.ts';
import { runCommand } from './commands/run.ts';
import { retryCommand } from './commands/retry.ts';
import { serverCommand } from './commands/server.ts';
import { startCommand } from './commands/start.ts';
import { tokenCommand } from './commands/token.ts';
import { keyCommand } from './commands/key.ts';
import { downCommand, upCommand } from './commands/up.ts';
import { upgradeCommand } from './commands/upgrade.ts';
import { workerCommand } from './commands/worker.ts';

const COMMANDS = [
  upCommand,
  runCommand,
  startCommand,
  lintCommand,
  configCommand,
  schemaCommand,
  planCommand,
  pipelinesCommand,
  statusCommand,
  logsCommand,
  decideCommands,
  retryCommand,
  environmentsCommand,
  deliveriesCommand,
  downCommand,
  doctorCommand,
  diskCommand,
  workerCommand,
  serverCommand,
  machineCommand,
  tokenCommand,
  deployTokenCommand,
  keyCommand,
  auditCommand,
  caCommand,
  backupCommands,
  registryCommand,
  upgradeCommand,
  prepareCommand,
  completionCommand,
];

export function buildProgram(cli: Cli): Command {
  const program = new Command('davit')
    .description('Builds, tests and deploys containers on the machines that they are made for.')
    .version(VERSION)
    // A subcommand may have options of the same names as its command.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.io.out(text),
      writeErr: (text) => cli.io.err(text),
      getOutHelpWidth: () => cli.io.columns ?? 100,
      getErrHelpWidth: () => cli.io.columns ?? 100,
      getOutHasColors: () => cli.io.outColor,
      getErrHasColors: () => cli.io.errColor,
    })
    .showHelpAfterError('(see davit COMMAND --help)')
    .addHelpText(
      'after',
      `
Exit codes: 0 success · 1 a pipeline or check failed · 2 wrong usage or input · 3 something needed cannot be reached

Example:
  $ davit run            the pipeline of this folder, uncommitted changes included
  $ davit approve 3 deploy`,
    );
  for (const add of COMMANDS) add(program, cli);
  return program;
}

/** Runs one command line and returns the exit code; errors have been printed. */
export async function runCli(cli: Cli, args: readonly string[]): Promise<number> {
  const { printError } = await import('./exit.ts');
  try {
    const program = buildProgram(cli);
    if (args.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync([...args], { from: 'user' });
    return cli.exit;
  } catch (error) {
    return printError(cli, error);
  }
}
