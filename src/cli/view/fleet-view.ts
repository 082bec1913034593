/** The machines of the installation as a table. Pure. */
import type { WorkerState } from '../../plan/model/fleet.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { FleetMachine, FleetView } from '../../server/api.ts';
import { durationText } from '../../utils/duration.ts';
import { table, type Cell, type Paint } from './table.ts';

const HEAD = ['NAME', 'STATE', 'HOST', 'ARCHES', 'TAGS', 'SLOTS', 'RUNS', 'DAVIT', 'ENGINE', 'DISK FREE'];
const PAINTS: Record<WorkerState, Paint> = {
  ready: 'green',
  draining: 'yellow',
  'engine away': 'red',
  failed: 'red',
  gone: 'red',
  'never seen': 'dim',
};
const GIB = 1_024 ** 3;
const MAX_JOBS = 3;

export function fleetTable(view: FleetView, color: boolean): string {
  const rows = view.machines.map((machine) => rowOf(machine, view.now));
  const notes = view.machines.flatMap(noteOf);
  return `${table(HEAD, rows, color)}${notes.map((note) => `${note}\n`).join('')}`;
}

function rowOf({ name, state, report, seen }: FleetMachine, now: number): (string | Cell)[] {
  const known = report ?? seen;
  return [
    { text: name, paint: 'bold' },
    { text: stateText({ state, report, seen }, now), paint: PAINTS[state] },
    known?.hostName ?? '-',
    listed(known?.arches.map((arch) => (report?.emulated.includes(arch) ? `${arch} (emulated)` : arch))),
    listed(tagsOf(known)),
    report && report.slots > 0 ? `${report.running?.length ?? 0}/${report.slots}` : '-',
    runs(report),
    known?.version ?? '-',
    report?.engine ? `${report.engine.kind} ${report.engine.version}` : '-',
    report?.checks?.disk ? `${(report.checks.disk.freeBytes / GIB).toFixed(1)} GiB` : '-',
  ];
}

function stateText(
  { state, report, seen }: Pick<FleetMachine, 'state' | 'report' | 'seen'>,
  now: number,
): string {
  const ago = (since: number): string => durationText(Math.max(1_000, now - since));
  if (state === 'gone' && seen) return `last seen ${ago(seen.seenAt)} ago`;
  if (state === 'engine away' && report?.away) return `engine away for ${ago(report.away.since)}`;
  return state;
}

/** Architectures and targets are queues too. */
function tagsOf(known: Pick<WorkerReport, 'tags' | 'arches' | 'targets'> | undefined): string[] {
  if (!known) return [];
  const tags = known.tags.filter((tag) => !known.arches.some((arch) => arch === tag));
  return [...new Set(tags), ...known.targets.map((target) => `target ${target}`)];
}

function runs(report: WorkerReport | undefined): string {
  if (report?.control) return 'workflows';
  const jobs = (report?.running ?? []).map(({ pipeline, job }) => `${pipeline} ${job}`);
  const more = jobs.length > MAX_JOBS ? [`${jobs.length - MAX_JOBS} more`] : [];
  return listed([...jobs.slice(0, MAX_JOBS), ...more]);
}

const listed = (words: readonly string[] | undefined): string =>
  words && words.length > 0 ? words.join(', ') : '-';

function noteOf({ name, report }: FleetMachine): string[] {
  const trouble = report?.failed ?? report?.away;
  return trouble ? [`${name}: ${trouble.message}${trouble.hint ? ` ${trouble.hint}` : ''}`] : [];
}
