/** `davit upgrade --check`: what a newer version changes, and what here stands in its way. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { setVariables } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { Finding } from '../../local/doctor/check.ts';
import type { ChangelogEntry } from '../../local/upgrade/changelog.ts';
import type { Here } from '../../local/upgrade/check.ts';
import type { DavitVersion } from '../../local/upgrade/source.ts';
import { FINAL_STATES } from '../../plan/model/protocol.ts';
import { printJson, useEngine, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { findingLines } from '../view/finding-lines.ts';
import { plainText } from '../view/terminal-text.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const IN_THE_WAY = 1;
/** The most that the server lists, the newest first. */
const MOST = 200;

interface Options {
  check?: boolean;
  from?: string;
  to: string;
  json?: boolean;
}

export function upgradeCommand(program: Command, cli: Cli): void {
  program
    .command('upgrade')
    .description('say what a newer version changes, and what of this installation stands in its way')
    .requiredOption('--check', 'only look; an upgrade itself is described in docs/operations.md')
    .option('--to <version>', 'version in the npm registry', 'latest')
    .option(
      '--from <path>',
      'the newer version as a package (.tgz) or a checkout, instead of the npm registry',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit upgrade --check\n  $ davit upgrade --check --from davit-ci-1.2.0.tgz',
    )
    .action((options: Options) => check(cli, options));
}

async function check(cli: Cli, { from, to, json }: Options): Promise<void> {
  const { publishedVersion, readVersion } = await import('../../local/upgrade/source.ts');
  const { newEntries } = await import('../../local/upgrade/changelog.ts');
  const { upgradeFindings } = await import('../../local/upgrade/check.ts');
  const running = await readVersion(ROOT);
  const newer =
    from === undefined ? await publishedVersion(cli.settings, to) : await readVersion(resolve(cli.cwd, from));
  const changes = newEntries(newer.changelog, running.changelog);
  const findings = upgradeFindings(await hereOf(cli, running), newer);
  if (findings.some(({ verdict }) => verdict === 'fail')) cli.exit = IN_THE_WAY;
  if (json) return printJson(cli, { running: running.version, newer: newer.version, changes, findings });
  cli.io.out(report({ running, newer, changes, findings }, cli.io.outColor));
}

async function hereOf(cli: Cli, running: DavitVersion): Promise<Here> {
  const { writtenInstallation } = await import('../../local/setup/installation.ts');
  await useEngine(cli, 'running');
  const { settings } = cli;
  const [installation, engine, openPipelines] = await Promise.all([
    writtenInstallation(cli.settings),
    engineOf(cli),
    openOnes(cli),
  ]);
  return {
    running,
    node: process.version,
    installation,
    environment: setVariables(),
    engine,
    ownTemporal: settings.temporalAddress === undefined,
    openPipelines,
  };
}

async function engineOf(cli: Cli): Promise<Here['engine']> {
  const { askEngine } = await import('../../local/setup/docker.ts');
  try {
    const { engine, info } = await askEngine(cli.settings);
    await engine.close();
    return info;
  } catch (error) {
    if (error instanceof DavitError) return undefined; // said as a finding
    throw error;
  }
}

async function openOnes(cli: Cli): Promise<Here['openPipelines']> {
  try {
    const list = await withServer(cli, (client) => client.pipelines({ limit: MOST }));
    return list.filter(({ state }) => !FINAL_STATES.includes(state)).map(({ id }) => id);
  } catch (error) {
    if (error instanceof DavitError) return { unknown: error.message }; // said as a finding
    throw error;
  }
}

interface Report {
  running: DavitVersion;
  newer: DavitVersion;
  changes: readonly ChangelogEntry[];
  findings: readonly Finding[];
}

function report({ running, newer, changes, findings }: Report, color: boolean): string {
  const lines = [`This is davit ${running.version}; compared with ${newer.version}.`];
  if (changes.length === 0) lines.push('Its changelog says nothing new.');
  let heading = '';
  for (const { breaking, section, text } of changes) {
    const own = breaking ? 'Breaking' : section;
    if (own !== heading) lines.push('', own);
    heading = own;
    lines.push(`- ${text}`);
  }
  lines.push('', 'This installation');
  return `${plainText(lines.join('\n'))}\n${findings.map((one) => findingLines(one, color)).join('')}`;
}
