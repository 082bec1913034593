/** Writes the unit of a machine's worker, checks it with systemd's own program, and has it started. */
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { userInfo } from 'node:os';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { ok, warn, type Finding } from '../doctor/check.ts';
import { outputTail, runCommand, which } from '../process/exec.ts';
import { readIfThere, replaceFile } from '../process/files.ts';
import type { MachineRecord } from './record.ts';
import { systemdRuns, type UnitPlace, unitFiles, unitName, unitPlace, unitScope } from './unit.ts';

const COMMAND_MS = 60_000;

/** Rejects with `usage/invalid` where the unit would run as another user than the one whose ssh keys were tried. */
export async function checkOwner({ home }: Pick<Settings, 'home'>): Promise<void> {
  const { uid } = await stat(home).catch(() => ({ uid: userInfo().uid })); // it does not exist yet, and will be this user's
  if (uid === userInfo().uid) return;
  throw new DavitError(
    'usage/invalid',
    `${home} belongs to another user, whose ssh keys the worker would use.`,
    {
      hint: 'Run the command as that user. With the units of deploy/systemd installed, `systemctl enable --now davit-worker@NAME` by root starts it.',
    },
  );
}

/** Returns what takes it back. Rejects with `machine/unit`; nothing has changed then. */
export async function installUnit(
  settings: Settings,
  record: Pick<MachineRecord, 'name'>,
  place = unitPlace(),
): Promise<() => Promise<void>> {
  const files = await unitFiles(settings, record, place);
  const before = await Promise.all(files.map(async ({ path }) => ({ path, text: await readIfThere(path) })));
  const back = async (): Promise<void> => {
    for (const [index, { path, text }] of before.entries())
      await (text === undefined
        ? rm(path, { force: true })
        : replaceFile(path, text, files[index]?.mode ?? 0o600));
    await reload(place);
  };
  try {
    for (const { path, text, mode } of files) {
      await mkdir(dirname(path), { recursive: true });
      await replaceFile(path, text, mode);
    }
    await verify(settings, record.name, place);
    await reload(place);
  } catch (error) {
    await back();
    throw error instanceof DavitError ? error : unusable(String(error), error);
  }
  return back;
}

const unusable = (why: string, cause?: unknown): DavitError =>
  new DavitError('machine/unit', `The unit of the worker cannot be installed: ${why}`, { cause });

/** With systemd's own program, where there is one: it also knows units of systems that do not run it. */
async function verify(settings: Settings, name: string, place: UnitPlace): Promise<void> {
  const program = await which(settings, 'systemd-analyze');
  if (program === undefined) return;
  const done = await runCommand(
    program,
    [...unitScope(place), 'verify', `${place.folder}/${unitName(name)}`],
    {
      timeoutMs: COMMAND_MS,
    },
  );
  if (done.code !== 0) throw unusable(outputTail(done));
}

async function reload(place: UnitPlace): Promise<void> {
  if (await systemdRuns()) await systemctl(place, 'daemon-reload');
}

async function systemctl(place: UnitPlace, ...words: string[]): Promise<void> {
  const done = await runCommand('systemctl', [...unitScope(place), ...words], { timeoutMs: COMMAND_MS });
  if (done.code !== 0) throw unusable(`systemctl ${words.join(' ')}: ${outputTail(done)}`);
}

/** Starts it, with every start of the machine too. Where systemd does not run it says what to do. */
export async function startUnit(record: MachineRecord): Promise<Finding> {
  const place = unitPlace();
  const unit = unitName(record.name);
  const scope = unitScope(place)
    .map((word) => `${word} `)
    .join('');
  if (!(await systemdRuns()))
    return warn(
      'unit',
      `${unit} is written, and systemd does not run on this machine.`,
      `Where it does: systemctl ${scope}daemon-reload && systemctl ${scope}enable --now ${unit}`,
    );
  await systemctl(place, 'enable', unit);
  await systemctl(place, 'restart', unit);
  if (place.system || (await lingers())) return ok('unit', `${unit} is enabled and runs`);
  return warn(
    'unit',
    `${unit} runs as long as you have a session.`,
    `So that it runs without one, and after a restart: loginctl enable-linger ${userInfo().username}`,
  );
}

const lingers = (): Promise<boolean> =>
  stat(`/var/lib/systemd/linger/${userInfo().username}`).then(
    () => true,
    () => false, // it was not asked for
  );

/** Ends it for good; the template stays, for other machines. */
export async function removeUnit(name: string): Promise<void> {
  if (await systemdRuns()) await systemctl(unitPlace(), 'disable', '--now', unitName(name));
}
