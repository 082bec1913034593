/** `davit down --purge`: says what goes and what stays, asks, and removes it. */
import { DavitError } from '../errors.ts';
import { planPurge, purge, type PurgePlan } from '../local/purge.ts';
import { progressOf, useEngine, type Cli } from './cli.ts';
import { confirmed } from './confirm.ts';

const INCOMPLETE = 1;

export async function runPurge(
  cli: Cli,
  { dryRun, yes }: { dryRun?: boolean; yes?: boolean },
): Promise<void> {
  await useEngine(cli, 'running');
  const prepared = await planPurge(cli.settings);
  const { plan, local } = prepared;
  cli.io.err(planText(plan));
  if (dryRun) return local.engine.close();
  if (!yes && !cli.settings.ci) {
    if (!cli.io.interactive)
      throw new DavitError('usage/invalid', 'Nothing was removed: --purge asks, and this is no terminal.', {
        hint: 'Add --yes.',
      });
    if (!(await confirmed(cli, 'Remove all of this?'))) return cli.io.err('Nothing was removed.\n');
  }
  const failed = await purge(cli.settings, prepared, progressOf(cli));
  if (failed.length === 0) return cli.io.err('Everything above is removed.\n');
  for (const one of failed) cli.io.err(`not removed: ${one}\n`);
  cli.io.err(`${cli.settings.home} is kept, so that davit down --purge can be repeated.\n`);
  cli.exit = INCOMPLETE;
}

export function planText(plan: PurgePlan): string {
  const rows: string[] = [];
  const add = (what: string, names: readonly string[]): void => {
    if (names.length > 0) rows.push(`  ${what.padEnd(12)} ${names.join(', ')}`);
  };
  add('units', plan.units);
  add('containers', plan.containers);
  add('networks', plan.networks);
  add('volumes', plan.volumes);
  add('images', plan.images);
  add('swarm', plan.swarm ? ['this engine leaves it; its services end'] : []);
  add('emulation', plan.folders.length > 1 ? plan.record.emulation : []);
  add('folders', plan.folders);
  const running = plan.running > 0 ? `\n${plan.running} of the containers are jobs that run now.` : '';
  const stays = plan.stays.map((one) => `  ${one}`).join('\n');
  return `To be removed:\n${rows.join('\n')}${running}\nStays:\n${stays}\n`;
}
