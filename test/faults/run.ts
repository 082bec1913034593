/**
 * `npm run faults -- --seed N --pipelines N [--row N] [--soak] [--pinned] [--postgres] [--one-process] [--fleet]
 * [--literal] [--worlds N] [--without MECHANISM] [--before REF] [--json] [--write-docs]`: a real davit, the faults of the
 * matrix, and a checker over what happened. Exits with 1 if an invariant broke or a row's outcome did not
 * occur, and prints how to repeat it.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { check, type Break } from './checker.ts';
import { settle } from './final.ts';
import { MECHANISMS, type Mechanism } from './mechanisms.ts';
import { fleetOf, LITERAL, SHORT, soakOf } from './profile.ts';
import { docsTable, table, type Line } from './report.ts';
import { replayAll } from './rows/36-replay.ts';
import { ROWS } from './rows/index.ts';
import type { Row } from './rows/row.ts';
import { PINNED } from './seeds.ts';
import { soak } from './soak.ts';
import { without } from './without.ts';
import { World } from './world.ts';
import { VERSION_BEFORE, versionMissing } from './version-before.ts';
import { sideBySide, type Together } from './worlds.ts';
import { messageOf } from '../../src/utils/message.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    pipelines: { type: 'string' },
    row: { type: 'string', multiple: true },
    soak: { type: 'boolean', default: false },
    pinned: { type: 'boolean', default: false },
    literal: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
    'one-process': { type: 'boolean', default: false },
    fleet: { type: 'boolean', default: false },
    worlds: { type: 'string' },
    without: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
    history: { type: 'string' },
    before: { type: 'string', default: VERSION_BEFORE },
  },
});
if (values.pinned) process.exit(runPinned());
const known: Record<string, Mechanism> = MECHANISMS;
const mechanism = values.without === undefined ? undefined : known[values.without];
if (values.without !== undefined && !mechanism)
  throw new Error(`There is no mechanism "${values.without}"; there are ${Object.keys(known).join(', ')}.`);
const seed = Number(values.seed);
const pipelines = Number(values.pipelines ?? (values.soak ? 1_000 : 0));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** The command that repeats the run, without the path of its history. */
const command = [
  `npm run faults -- --seed ${seed}`,
  ...(values.row ?? []).map((row) => `--row ${row}`),
  ...(values.soak ? ['--soak'] : []),
  ...(values.literal ? ['--literal'] : []),
  ...(values.postgres ? ['--postgres'] : []),
  ...(values['one-process'] ? ['--one-process'] : []),
  ...(values.fleet ? ['--fleet'] : []),
  ...(values.worlds === undefined ? [] : [`--worlds ${values.worlds}`]),
  ...(pipelines > 0 ? [`--pipelines ${pipelines}`] : []),
  ...(values.without === undefined ? [] : [`--without "${values.without}"`]),
].join(' ');
const began = performance.now();
const chosen = ROWS.filter(({ row }) => values.row?.includes(String(row)) ?? true);
const wanted = chosen.filter((row) => {
  const reason = whyNot(row);
  if (reason !== undefined) say(`row ${row.row} does not run: ${reason}`);
  return reason === undefined;
});
/** Rows that begin with the version before have a davit of their own. */
const apart = wanted.some(({ before }) => before) && !wanted.every(({ before }) => before);
const worlds = values.worlds ?? (apart ? '1' : undefined);
if (wanted.length === 0)
  throw new Error(`There is no such row; there are ${ROWS.map(({ row }) => row).join(', ')}.`);
if (worlds !== undefined) {
  const all = await sideBySide({
    rows: wanted.map(({ row }) => row),
    worlds: Number(worlds),
    args: [
      '--seed',
      String(seed),
      ...(values.literal ? ['--literal'] : []),
      ...(values.postgres ? ['--postgres'] : []),
      ...(values['one-process'] ? ['--one-process'] : []),
      ...(values.fleet ? ['--fleet'] : []),
      ...['--before', values.before],
    ],
    history: values.history,
  });
  process.exit(tell(all));
}
const base = values.literal ? LITERAL : SHORT;
const profile = values.fleet ? fleetOf(base) : base;
const world = await World.start(seed, values.soak ? soakOf(profile, pipelines) : profile, {
  database: values.postgres ? 'postgres' : 'sqlite',
  shape: values['one-process'] ? 'one-process' : 'separate',
  fleet: values.fleet,
  ...(wanted.every(({ before }) => before) && { before: values.before }),
});
const interrupted = (): void => void world.close().finally(() => process.exit(130));
process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
say(`A davit of its own is up after ${Math.round((performance.now() - began) / 1_000)} s; seed ${seed}.`);

if (mechanism && !values.row) process.exit(await runWithout(mechanism));
const lines = new Map<string, Line>();
const failures: string[] = [];
let breaks: Break[] = [];
let driven = 0;
try {
  await mechanism?.off(world);
  if (values.soak) await soak(world, { pipelines, lines, say, failed: (text) => void failures.push(text) });
  else await rows();
  say('Everything heals and ends.');
  // The checker reports what does not end; a world that does not heal is a failure, and the table is still
  // printed.
  await settle(world).catch((error: unknown) => {
    failures.push(`at the end: ${messageOf(error)}`);
  });
  if (values.soak) {
    // As above: a failed request is a failure, and the table is still printed.
    const { count, broken } = await replayAll(world).catch((error: unknown) => ({
      count: 0,
      broken: [`histories: ${messageOf(error)}`],
    }));
    say(`${count} histories replayed.`);
    failures.push(...broken);
    if (count < pipelines) failures.push(`${count} histories are there, of ${pipelines} pipelines`);
  }
  breaks = check(world.history.events);
  driven = world.history.events.filter((event) => event.type === 'pipeline').length;
} finally {
  if (values.history !== undefined) writeFileSync(values.history, JSON.stringify(world.history.events));
  await world.close();
}

/** The row of a mechanism, without it, until its invariant breaks: 0 if it does. */
async function runWithout(one: Mechanism): Promise<number> {
  try {
    const from = performance.now();
    const [instead] = await without(world, [one]);
    const seconds = Math.round((performance.now() - from) / 1_000);
    say(
      instead ?? `Without "${values.without}" (${one.is}) ${one.breaks} breaks, as it has to: ${seconds} s.`,
    );
    return instead === undefined ? 0 : 1;
  } finally {
    await world.close();
  }
}

/** Undefined for a row that runs here. */
function whyNot({ separate, before, fleet, notFleet }: Row): string | undefined {
  if (values['one-process'] && separate) return `it needs separate processes. ${separate}`;
  if (fleet !== undefined && !values.fleet) return `it needs --fleet: ${fleet}.`;
  if (notFleet !== undefined && values.fleet) return `it does not run with --fleet: ${notFleet}.`;
  if (!before) return undefined;
  if (values.soak || values.without !== undefined || pipelines > 0)
    return 'it has a davit of its own: run it without --soak, --pipelines and --without.';
  return versionMissing(values.before);
}

/** Every seed that once failed, each with a separate davit. */
function runPinned(): number {
  let code = 0;
  for (const { seed: one, rows: theirs, why } of PINNED) {
    process.stderr.write(`Seed ${one}, rows ${theirs.join(', ')}: ${why}\n`);
    const args = ['--seed', String(one), ...theirs.flatMap((row) => ['--row', String(row)])];
    if (values.postgres) args.push('--postgres');
    const done = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { stdio: 'inherit' });
    if (done.status !== 0) code = 1;
  }
  return code;
}

/** Each requested row once, then rows chosen by the seed, until the requested number of pipelines has run. */
async function rows(): Promise<void> {
  const next = [...wanted];
  while (next.length > 0 || world.client.tracked.size < pipelines) {
    const row = next.shift() ?? world.random.pick(wanted);
    const line = lines.get(`${row.row} ${row.fault}`) ?? { row, injected: 0, failed: 0, recoveryMs: [] };
    lines.set(`${row.row} ${row.fault}`, line);
    const from = performance.now();
    line.injected += 1;
    try {
      line.recoveryMs.push(...(await row.run(world)).recoveryMs);
      say(`row ${row.row} ${row.fault}, ${row.moment}: ok (${Math.round(performance.now() - from)} ms)`);
    } catch (error) {
      line.failed += 1;
      const text = messageOf(error);
      failures.push(`row ${row.row}: ${text}`);
      say(`row ${row.row} ${row.fault}, ${row.moment}: NOT AS REQUIRED: ${text}`);
    }
    try {
      await world.heal();
      // Open work of a row ends before the next row, so that its end is recorded at the right time.
      const open = [...world.client.tracked].filter(([, one]) => one.ended === undefined);
      await Promise.all(open.map(([id]) => world.client.verdict(id).catch(() => undefined)));
    } catch (error) {
      failures.push(`after row ${row.row}: ${messageOf(error)}`);
      say('It does not heal: no further row is run.');
      return;
    }
  }
}

process.exit(tell({ pipelines: driven, breaks, failures, lines: [...lines.values()] }));

/** Prints the result, for people or programs, and sets the exit code. */
function tell({ pipelines: count, breaks: broken, failures: failed, lines: all }: Together): number {
  const seconds = Math.round((performance.now() - began) / 1_000);
  const summary = { seed, command, pipelines: count, seconds, breaks: broken, failures: failed };
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ ...summary, rows: all.map(({ row, ...line }) => ({ row: row.row, fault: row.fault, ...line })) })}\n`,
    );
  else
    process.stdout.write(
      `${table(all)}\n${count} pipelines in ${seconds} s, ${broken.length} breaks of an invariant.\n`,
    );
  for (const one of broken) say(`${one.invariant}: ${one.text}`);
  if (values['write-docs']) docsTable({ ...summary, lines: all, kind: kind() });
  for (const one of failed) say(one);
  if (broken.length === 0 && failed.length === 0) return 0;
  say(`Again: ${command}`);
  return 1;
}

/** Whose table it is in docs/reliability.md. */
function kind(): Parameters<typeof docsTable>[0]['kind'] {
  if (values.postgres) return values.soak ? 'postgres soak' : 'postgres rows';
  return values.soak ? 'soak' : values.literal ? 'literal' : 'rows';
}
