/** What the record of the fleet says about each machine, judged. Pure. */
import { MIN_MAJOR, MIN_PODMAN } from './engine-versions.ts';
import type { MachineChecks, Space, Trouble } from '../../plan/model/fleet.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { FleetView } from '../../server/api.ts';
import { durationText } from '../../utils/duration.ts';
import { fail, ok, warn, type Fault, type Finding, type Verdict } from './check.ts';
import { missingFindings } from './missing-machines.ts';

const GIB = 1_024 ** 3;
const CLOCK_WARN_MS = 30_000;
const CLOCK_FAIL_MS = 5 * 60_000;
const NO_SPACE_BYTES = GIB / 2;
const LOW_BYTES = 5 * GIB;
/** A small disk is not low at 5 GiB. */
const LOW_SHARE = 0.1;
/** Without new checks for so long, what they said may not be true any more. */
const OLD_MS = 15 * 60_000;

/** In the order of the machines; those of the server first. */
export function fleetFindings(view: FleetView): Finding[] {
  const { machines } = view;
  const reported = machines.flatMap(({ report, name }) => (report ? [{ name, report }] : []));
  return [
    ...serverFindings(view),
    ...versionFindings(view),
    ...reported.flatMap(({ name, report }) => machineFindings(name, report, view.now)),
    ...missingFindings(view),
  ];
}

/** What one machine has, or one finding that it has nothing. */
function machineFindings(name: string, report: WorkerReport, now: number): Finding[] {
  const found = [
    ...stateFindings(report),
    ...engineFindings(report),
    ...(report.checks ? checkFindings(report.checks, report, now) : []),
  ];
  if (found.length === 0) return [{ ...ok(nameOf(report), summaryOf(report)), machine: name }];
  return found.map((one) => ({ machine: name, ...one }));
}

const nameOf = (report: WorkerReport): string =>
  report.control
    ? 'control worker'
    : report.targets.length > 0
      ? `target ${report.targets.join(', ')}`
      : 'worker';

function summaryOf({ engine, arches, hostName, draining, checks }: WorkerReport): string {
  const facts = [
    ...(engine ? [`${engine.kind} ${engine.version}`] : []),
    ...(arches.length > 0 ? [arches.join(', ')] : []),
    ...(checks?.disk ? [`${gib(checks.disk.freeBytes)} free`] : []),
    ...(draining ? ['draining: it takes no further jobs'] : []),
  ];
  return [`${hostName} reports`, ...facts].join(', ');
}

const as = (fault: Fault, finding: Finding): Finding => ({ ...finding, fault });
const ofTrouble = (
  fault: Fault | undefined,
  name: string,
  trouble: Trouble,
  { verdict = 'fail', remedy }: { verdict?: Verdict; remedy?: string } = {},
): Finding => ({
  name,
  verdict,
  found: trouble.message,
  remedy:
    remedy ??
    trouble.hint ??
    "See the log of its worker: `journalctl -u davit-worker@NAME`, or `log/davit.log` in davit's home.",
  ...(trouble.code !== undefined && { code: trouble.code }),
  ...(fault && { fault }),
});

const FAULT_OF: Readonly<Record<string, Fault>> = {
  'worker/arch': 'wrong-architecture',
  'worker/emulation': 'emulation-missing',
  'worker/twin': 'two-hosts-one-id',
  'engine/version': 'old-engine',
  'engine/no-space': 'disk-full',
  'engine/unreachable': 'engine-away',
  'engine/untrusted': 'engine-away',
  'temporal/unreachable': 'temporal-unreachable',
  'tls/untrusted': 'wrong-certificate-name',
  'registry/unreachable': 'registry-unreachable',
};
export const isOfName = (message: string): boolean =>
  /ALTNAME_INVALID|not valid for|is valid for|doesn't contain any (?:IP )?SANs|cannot validate certificate for/i.test(
    message,
  );
const faultOf = ({ code, message }: Trouble): Fault | undefined =>
  isOfName(message) ? 'wrong-certificate-name' : code === undefined ? undefined : FAULT_OF[code];

function stateFindings({ failed, away }: WorkerReport): Finding[] {
  if (failed) return [ofTrouble(faultOf(failed), 'worker cannot start', failed)];
  if (!away) return [];
  const remedy =
    away.code === 'engine/unreachable'
      ? 'Start the machine and its engine, and check the way to it. Its worker takes jobs again within seconds.'
      : undefined;
  const found = ofTrouble(faultOf(away), 'engine away', away, remedy === undefined ? {} : { remedy });
  const since = `${new Date(away.since).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return [{ ...found, found: `${found.found} Away since ${since}; other workers take the jobs.` }];
}

function engineFindings({ engine }: WorkerReport): Finding[] {
  if (!engine) return [];
  const { kind, version } = engine;
  const major = Number(/^(\d+)\./.exec(version)?.[1] ?? Number.NaN);
  const least = kind === 'podman' ? MIN_PODMAN : MIN_MAJOR;
  if (major >= least) return [];
  const product = kind === 'podman' ? `Podman ${MIN_PODMAN}` : 'Docker 25.0.2';
  const found = `${kind === 'podman' ? 'Podman' : 'Docker'} ${version} is too old.`;
  return [as('old-engine', fail('engine', found, `Upgrade it to ${product} or later.`))];
}

function checkFindings(checks: MachineChecks, report: WorkerReport, now: number): Finding[] {
  const { clockOffsetMs, disk, temp, registries = [], cannotRun = [], nodes = [], troubles = [] } = checks;
  return [
    ...(clockOffsetMs === undefined ? [] : clockFindings(clockOffsetMs, report.hostName)),
    ...(disk ? spaceFindings('disk', disk, report.hostName) : []),
    ...(temp ? spaceFindings('temporary files', temp, report.hostName) : []),
    ...registries.flatMap(({ host, problem }) =>
      problem
        ? [
            ofTrouble(
              isOfName(problem.message) ? 'wrong-certificate-name' : 'registry-unreachable',
              `registry ${host}`,
              problem,
            ),
          ]
        : [],
    ),
    ...cannotRun.map((arch) => emulationFinding(arch, report)),
    ...nodes.flatMap(nodeFindings),
    ...troubles.map((trouble) => ofTrouble(faultOf(trouble), 'check', trouble, severityOf(trouble))),
    ...(now - checks.at > OLD_MS && !report.away
      ? [
          warn(
            'checks',
            `They are of ${durationText(now - checks.at)} ago.`,
            'See the log of its worker; a restart of it makes them again.',
          ),
        ]
      : []),
  ];
}

const severityOf = (trouble: Trouble): { verdict: Verdict } => ({
  verdict: faultOf(trouble) === undefined ? 'warn' : 'fail',
});

function clockFindings(offsetMs: number, hostName: string): Finding[] {
  const apart = Math.abs(offsetMs);
  if (apart < CLOCK_WARN_MS) return [];
  const found = `The clock of ${hostName} is ${durationText(apart)} ${offsetMs < 0 ? 'behind' : 'ahead of'} the server's.`;
  const remedy = `On ${hostName} and on the server: timedatectl set-ntp true (or install systemd-timesyncd or chrony); \`timedatectl\` shows whether it is synchronized.`;
  return [as('clock', (apart < CLOCK_FAIL_MS ? warn : fail)('clock', found, remedy))];
}

function spaceFindings(name: 'disk' | 'temporary files', space: Space, hostName: string): Finding[] {
  const { freeBytes, totalBytes } = space;
  const found = `${gib(freeBytes)} of ${gib(totalBytes)} free`;
  const isFull = freeBytes < NO_SPACE_BYTES;
  if (!isFull && (freeBytes >= LOW_BYTES || freeBytes >= totalBytes * LOW_SHARE)) return [];
  const what =
    name === 'disk'
      ? 'where its engine keeps images, containers and their logs'
      : 'where its worker keeps temporary files';
  const remedy =
    name === 'disk'
      ? `On ${hostName}: docker system df shows what takes it; docker image prune -a and docker builder prune free it. \`prune_build_cache\` of worker.yml lets davit do so.`
      : `Free space in the folder TMPDIR (/tmp) of the machine where the worker runs, or set TMPDIR to one with more.`;
  const finding = isFull
    ? fail(name, `${found}, ${what}: too little to run jobs.`, remedy)
    : warn(name, `${found}, ${what}: space is low.`, remedy);
  return [as(name === 'disk' ? 'disk-full' : 'no-log-space', finding)];
}

function emulationFinding(arch: string, { hostName, engine }: WorkerReport): Finding {
  const own = engine ? ` (${engine.arch})` : '';
  return as(
    'emulation-missing',
    fail(
      `architecture ${arch}`,
      `${hostName}${own} cannot run ${arch} now, although its worker takes such jobs.`,
      `On ${hostName}: davit prepare, or docker run --privileged --rm tonistiigi/binfmt --install ${arch === 'arm32' ? 'arm' : arch}. A reboot forgets it where nothing registers it again: install qemu-user-static and binfmt-support. Until then: davit worker drain.`,
    ),
  );
}

function nodeFindings({
  name,
  state,
  availability,
}: {
  name: string;
  state: string;
  availability: string;
}): Finding[] {
  if (state === 'ready' && availability === 'active') return [];
  if (state === 'ready')
    return [
      {
        ...warn(
          `swarm node ${name}`,
          `It is set to ${availability}: services get no new tasks there.`,
          `On a manager: docker node update --availability active ${name}`,
        ),
        machine: name,
      },
    ];
  const remedy = `Start ${name} and its engine, and check ports 2377, 7946 and 4789 between it and the managers. If it is gone for good: docker node rm --force ${name}, on a manager.`;
  return [{ ...as('node-down', fail(`swarm node ${name}`, `It is ${state}.`, remedy)), machine: name }];
}

function serverFindings({ server: { temporal, space, certificate } }: FleetView): Finding[] {
  const found: Finding[] = [];
  if (temporal === 'down')
    found.push(
      as(
        'temporal-unreachable',
        fail(
          'temporal',
          'The server does not reach Temporal: no pipeline starts or continues.',
          "Start Temporal where TEMPORAL_ADDRESS of the server points; with `davit up` it starts by itself, and `log/temporal.log` in davit's home says why not.",
        ),
      ),
    );
  if (certificate !== undefined)
    found.push(
      as(
        isOfName(certificate) ? 'wrong-certificate-name' : 'token-expired',
        fail(
          'certificate of the server',
          `Workers and the command line refuse it: ${certificate}.`,
          'Make another with the name in `url` of the installation file: davit ca issue, with the options of the first time (davit ca show).',
        ),
      ),
    );
  if (
    space &&
    (space.freeBytes < NO_SPACE_BYTES || space.freeBytes < Math.min(LOW_BYTES, space.totalBytes * LOW_SHARE))
  ) {
    const text = `${gib(space.freeBytes)} of ${gib(space.totalBytes)} free where the server keeps logs and artifacts`;
    const remedy =
      'davit disk shows what takes it. Set limits.log_age and limits.artifact_age in the installation file and run davit doctor --fix on the server, or give its data a larger disk.';
    found.push(
      as(
        'no-log-space',
        space.freeBytes < NO_SPACE_BYTES
          ? fail('space for logs', `${text}: jobs wait with their logs.`, remedy)
          : warn('space for logs', `${text}: space is low.`, remedy),
      ),
    );
  }
  return found.length > 0 ? found : [ok('server', 'reaches Temporal, and has space for logs')];
}

function versionFindings({ server, machines }: FleetView): Finding[] {
  const others = new Map<string, string[]>();
  for (const { name, report } of machines)
    if (report && report.version !== server.version)
      others.set(report.version, [...new Set([...(others.get(report.version) ?? []), name])]);
  return [...others].map(([version, names]) => ({
    ...as(
      'mixed-versions',
      warn(
        'versions',
        `The server is davit ${server.version}; ${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} ${version}.`,
        'That works for the time of an upgrade. Upgrade these machines and restart their workers, which hand over their jobs.',
      ),
    ),
    ...(names.length === 1 && names[0] !== undefined && { machine: names[0] }),
  }));
}

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;
