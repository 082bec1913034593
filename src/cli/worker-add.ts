/** Runs `davit worker add`: its questions, its lines, and what comes after. */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../errors.ts';
import { addMachine, type AddRequest, type Added, wantedRecord } from '../local/machines/add.ts';
import { checkOwner, installUnit, startUnit } from '../local/machines/install-unit.ts';
import { isServed } from '../local/machines/serve-machines.ts';
import { findMachine, MACHINE_NAME, machinePaths, type MachineRecord } from '../local/machines/record.ts';
import { systemdRuns, unitFiles, unitName, unitPlace } from '../local/machines/unit.ts';
import { withWishes } from '../local/machines/worker-file.ts';
import { readIfThere } from '../local/process/files.ts';
import type { Finding } from '../local/doctor/check.ts';
import { liveRun } from '../local/process/run-file.ts';
import type { Trouble } from '../plan/model/fleet.ts';
import type { WorkerReport } from '../plan/model/queues.ts';
import type { ApiClient } from './client/api-client.ts';
import { printJson, useEngine, type Cli } from './cli.ts';
import { withLocalAddresses } from './commands/worker.ts';
import type { WorkerAddOptions } from './commands/worker-add.ts';
import { confirmed } from './confirm.ts';
import { withServer } from './connect.ts';
import { findingLines } from './view/finding-lines.ts';

/** A worker starts within seconds; a first image may have to be made. */
const START_MS = 60_000;
const LOOK_MS = 250;
/** Between this machine and the server, at most; more is a finding of its own. */
const CLOCKS_MS = 5_000;

export async function runWorkerAdd(cli: Cli, name: string, options: WorkerAddOptions): Promise<void> {
  if (!MACHINE_NAME.test(name))
    throw new DavitError('usage/invalid', 'A name has letters, digits, ".", "_" and "-".');
  if (options.docker === undefined) await useEngine(cli, 'running');
  const settings = await withLocalAddresses(cli.settings);
  const runs = options.systemd ? 'systemd' : await runsBy(cli);
  const request = requestOf(name, options, runs);
  if (options.print) return print(cli, request);
  if (runs === 'systemd') await mayWriteUnit(cli, name, options);
  const say = (text: string): void => (options.json ? cli.io.err(text) : cli.io.out(text));
  const onFinding = (finding: Finding): void =>
    say(findingLines(finding, options.json ? cli.io.errColor : cli.io.outColor));
  await withServer(cli, async (server) => {
    const added = await addMachine(request, {
      settings,
      server,
      confirm: cli.io.interactive ? (text) => confirmed(cli, text) : undefined,
      onFinding,
      ...(runs === 'systemd' && {
        // What `davit up` of this machine says may change; what the person has set stays.
        install: (record) => installUnit(cli.settings, record),
        start: startUnit,
      }),
    });
    const starts = await startsNow(cli, added.record);
    if (starts) onFinding(await untilStarted(server, added.record));
    const notes = notesOf(added.record, { workers: await server.workers(), starts });
    if (options.json) return printJson(cli, { ...added, notes });
    return say(summary(added, notes));
  });
}

/** Root's units are the machine's: asked for first, with where they go. */
async function mayWriteUnit(cli: Cli, name: string, { yes }: WorkerAddOptions): Promise<void> {
  await checkOwner(cli.settings);
  if (yes) return;
  const { folder } = unitPlace();
  const text = `This writes ${folder}/davit-worker@.service and starts ${unitName(name)}.`;
  if (cli.io.interactive && (await confirmed(cli, `${text} Go on?`))) return;
  throw new DavitError('usage/invalid', text, { hint: 'Say --yes to do it, or --print to see the files.' });
}

/** The files that the command would write, but for the token and the record of the machine. */
async function print(cli: Cli, request: AddRequest): Promise<void> {
  const before = await findMachine(cli.settings, request.name);
  const record = wantedRecord(request, before);
  const { config } = machinePaths(cli.settings, request.name);
  const files = [{ path: config, text: withWishes(await readIfThere(config), request.wishes, config) }];
  if (request.runs === 'systemd') files.push(...(await unitFiles(cli.settings, record, unitPlace())));
  cli.io.out(files.map(({ path, text }) => `# ${path}\n${text.trimEnd()}\n`).join('\n'));
}

/** `davit up` of this home, if it is the server's. */
async function runsBy(cli: Cli): Promise<MachineRecord['runs']> {
  const run = await liveRun(cli.settings);
  const here = run && (cli.settings.serverUrl ?? run.server) === run.server;
  return here ? 'up' : 'command';
}

function requestOf(name: string, options: WorkerAddOptions, runs: MachineRecord['runs']): AddRequest {
  return {
    name,
    docker: options.docker,
    certPath: options.certs,
    arches: options.arch,
    emulation: options.emulation,
    target: options.deploy,
    runs,
    hostKey: options.hostKey,
    wishes: {
      tags: options.tags,
      slots: options.slots,
      variant: options.variant,
      projects: options.project,
      protected_only: options.protectedOnly,
      forks: options.forks,
    },
  };
}

/** Something that runs now starts its worker. */
async function startsNow({ settings }: Cli, { runs }: MachineRecord): Promise<boolean> {
  if (runs === 'systemd') return systemdRuns();
  return runs === 'up' || isServed(settings);
}

async function untilStarted(server: ApiClient, record: MachineRecord): Promise<Finding> {
  const isOurs = (one: WorkerReport): boolean =>
    one.token === record.name && (one.startedAt ?? one.seenAt) >= record.changedAt - CLOCKS_MS;
  let trouble: Trouble | undefined;
  for (const end = performance.now() + START_MS; performance.now() < end; await delay(LOOK_MS)) {
    const ours = (await server.workers()).filter(isOurs);
    trouble = ours.map((one) => one.failed ?? one.away).find((one) => one !== undefined);
    const wanted = (record.arches.length > 0 ? 1 : 0) + (record.target === undefined ? 0 : 1);
    if (!trouble && ours.length >= wanted) return { name: 'worker', verdict: 'ok', found: 'takes jobs' };
  }
  return {
    name: 'worker',
    verdict: 'warn',
    found: trouble?.message ?? 'It has not started within a minute; davit tries again.',
    remedy: trouble?.hint ?? "Its log is `log/davit.log` in davit's home.",
  };
}

/** What the person should know of the rest of the fleet. */
function notesOf(
  record: MachineRecord,
  { workers, starts }: { workers: readonly WorkerReport[]; starts: boolean },
): string[] {
  const notes: string[] = [];
  const native = record.emulation ? [] : record.arches;
  for (const arch of native)
    for (const one of workers)
      if (one.emulated.includes(arch) && one.hostId !== record.hostId)
        notes.push(
          `${one.hostName} emulates ${arch} and takes jobs of the same queue. \`davit up --arch\` there, with its own architecture alone, ends that.`,
        );
  if (record.runs === 'command' && !starts)
    notes.push(
      `Start its worker with: davit worker --machine ${record.name}, or those of all machines with: davit worker --machines`,
    );
  return notes;
}

function summary({ record, isNew, changed }: Added, notes: readonly string[]): string {
  const did = isNew
    ? `${record.name} is added.`
    : changed.length === 0
      ? `${record.name} is as it was.`
      : `${record.name} has changed: ${changed.join('; ')}.`;
  return [did, ...notes].map((line) => `${line}\n`).join('');
}
