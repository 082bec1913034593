/** Finds the engine, says what a set-up will change on this machine, and asks, before anything is changed. */
import { DavitError } from '../errors.ts';
import { liveRun } from '../local/process/run-file.ts';
import { changesText } from '../local/setup/changes.ts';
import { foreseenChanges } from '../local/setup/foreseen.ts';
import type { SwarmWish } from '../local/setup/swarm.ts';
import { progressOf, useEngine, type Cli } from './cli.ts';
import { confirmed } from './confirm.ts';
import { plainText } from './view/terminal-text.ts';

export interface ConsentOptions {
  swarm: SwarmWish;
  /** Given before: nothing is asked. */
  yes: boolean;
  /** That gives the consent, for people: `davit up --yes`. */
  command: string;
}

/**
 * True if everything is there already, or may be set up; false, with `cli.exit` set, if the person declines. Rejects
 * with `usage/invalid` if something is missing and nobody can be asked.
 */
export async function mayChange(cli: Cli, { swarm, yes, command }: ConsentOptions): Promise<boolean> {
  await useEngine(cli, (await liveRun(cli.settings)) ? 'running' : 'first');
  const changes = await foreseenChanges(cli.settings, { swarm, progress: progressOf(cli) });
  if (changes.length === 0) return true;
  cli.io.err(`davit sets up what this machine does not have yet:\n${plainText(changesText(changes))}`);
  if (yes || cli.settings.ci) return true;
  if (!cli.io.interactive)
    throw new DavitError(
      'usage/invalid',
      'Nothing was changed: this has to be allowed, and there is no terminal.',
      {
        hint: `Allow it with: ${command}`,
      },
    );
  cli.io.err('`davit down --purge` takes it back.\n');
  if (await confirmed(cli, 'Set this up?', 'yes')) return true;
  cli.io.err('Nothing was changed.\n');
  cli.exit = 1;
  return false;
}
