/** What of this installation stands in the way of another version. Pure, but for the facts that it is given. */
import type { EngineInfo } from '../../adapters/ports.ts';
import { fail, ok, warn, type Finding } from '../doctor/check.ts';
import { unknownFields } from './facts.ts';
import type { DavitVersion } from './source.ts';

export interface Here {
  running: DavitVersion;
  /** `v24.1.0` */
  node: string;
  /** The installation file, parsed; undefined if there is none. */
  installation: unknown;
  /** Names of davit's environment variables that are set. */
  environment: readonly string[];
  /** Undefined: no engine responds. */
  engine: Pick<EngineInfo, 'kind' | 'version'> | undefined;
  /** `davit up` runs a Temporal of its own. */
  ownTemporal: boolean;
  /** Or why they are not known. */
  openPipelines: readonly string[] | { unknown: string };
}

const NO_FACTS = warn(
  'facts',
  'That version has no docs/upgrade.json: settings, engine, Temporal and open pipelines are not compared.',
  'Read its CHANGELOG.md and docs/operations.md, "Upgrade".',
);

export function upgradeFindings(here: Here, newer: DavitVersion): Finding[] {
  return [
    nodeFinding(here.node, newer.node),
    newer.facts ? undefined : NO_FACTS,
    ...settingsFindings(here, newer),
    ...engineFindings(here, newer),
    ...temporalFindings(here, newer),
    pipelinesFinding(here, newer),
    besidesFinding(here.running.version, newer.facts?.besides),
  ].filter((one) => one !== undefined);
}

function nodeFinding(node: string, range: string | undefined): Finding | undefined {
  const least = /^>=\s*([\d.]+)$/.exec(range ?? '')?.[1];
  if (least === undefined) return undefined;
  return isBefore(node.replace(/^v/, ''), least)
    ? fail('Node', `${node}; it needs ${least} or later.`, 'Install that Node first: https://nodejs.org')
    : ok('Node', `${node}; it needs ${least} or later`);
}

function settingsFindings({ running, installation, environment }: Here, newer: DavitVersion): Finding[] {
  if (!newer.facts) return [];
  const { settings, environment: names } = newer.facts;
  const gone = settings.length === 0 ? [] : unknownFields(installation, settings);
  const known = running.facts?.environment ?? [];
  const unset =
    names.length === 0 ? [] : environment.filter((one) => known.includes(one) && !names.includes(one));
  const remedy = 'They were removed or renamed: the changes above say what took their place.';
  return [
    gone.length > 0
      ? fail('installation file', `It does not know these fields: ${gone.join(', ')}.`, remedy)
      : ok('installation file', installation === undefined ? 'there is none' : 'it knows every field'),
    ...(unset.length > 0
      ? [fail('environment', `It does not read these variables: ${unset.join(', ')}.`, remedy)]
      : []),
  ];
}

function engineFindings({ engine }: Here, { facts }: DavitVersion): Finding[] {
  if (!facts) return [];
  if (!engine) return [warn('engine', 'No engine responds here, so its version is unknown.', 'davit doctor')];
  const least = facts.engines[engine.kind];
  const found = `${engine.kind === 'podman' ? 'Podman' : 'Docker'} ${engine.version}`;
  if (least === undefined) return [];
  return [
    Number.parseInt(engine.version, 10) < least
      ? fail('engine', `${found}; it needs ${least} or later.`, 'Upgrade the engine first.')
      : ok('engine', `${found}; it needs ${least} or later`),
  ];
}

function temporalFindings({ ownTemporal, running, openPipelines }: Here, { facts }: DavitVersion): Finding[] {
  const [before, after] = [running.facts?.temporal, facts?.temporal];
  if (!ownTemporal || before === undefined || after === undefined) return [];
  if (before === after) return [ok('Temporal', `both use ${after}, with the same database`)];
  const open =
    'length' in openPipelines && openPipelines.length > 0 ? ` Now open: ${openPipelines.join(', ')}.` : '';
  return [
    fail(
      'Temporal',
      `It uses Temporal CLI ${after} instead of ${before}; the database is not migrated.${open}`,
      'Let all pipelines end, then move the database away: docs/operations.md, "Upgrade".',
    ),
  ];
}

function pipelinesFinding({ running, openPipelines }: Here, { facts }: DavitVersion): Finding {
  const name = 'open pipelines';
  if ('unknown' in openPipelines)
    return warn(
      name,
      `They are unknown: ${openPipelines.unknown}`,
      'Start davit, or set DAVIT_SERVER, and check again.',
    );
  const gone = (running.facts?.workflows ?? []).filter((id) => facts && !facts.workflows.includes(id));
  if (openPipelines.length === 0) return ok(name, 'none');
  const list = openPipelines.slice(0, 10).join(', ');
  if (!facts || gone.length === 0) return ok(name, `${openPipelines.length} (${list}): they continue`);
  return fail(
    name,
    `${openPipelines.length} (${list}): it has no code any more for steps that they may have taken (${gone.join(', ')}).`,
    'Let them end, or upgrade to a version in between first.',
  );
}

function besidesFinding(running: string, besides: string | undefined): Finding | undefined {
  if (besides === undefined) return undefined;
  const name = 'several processes';
  return isBefore(running, besides)
    ? warn(
        name,
        `It does not run beside ${running}.`,
        'Stop server and workers, replace all of them, and start them again; running jobs continue.',
      )
    : ok(name, 'old and new may run side by side: server first, then control workers, then the others');
}

/** Numeric parts only: davit's versions and Node's. */
export function isBefore(version: string, other: string): boolean {
  const parts = (text: string): number[] => text.split(/[-+]/, 1)[0]?.split('.').map(Number) ?? [];
  const [a, b] = [parts(version), parts(other)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
