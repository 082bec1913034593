/** `davit doctor --fleet`: what every machine of the installation finds, as the server knows it. */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { ChecksAsked, FleetView } from '../../server/api.ts';
import { fail, finding, warn, type Fault, type Finding } from './check.ts';
import { fleetFindings, isOfName } from './fleet-findings.ts';

const WAIT_MS = 60_000;
const ASK_MS = 1_000;
/** A worker reports every few seconds. */
const SILENT_MS = 20_000;

export interface FleetSource {
  fleet(): Promise<FleetView>;
  askForChecks(): Promise<ChecksAsked>;
}

/** Waits until the machines have made their checks again. Never rejects. */
export async function examineFleet(
  source: FleetSource,
  { waitMs = WAIT_MS, askMs = ASK_MS }: { waitMs?: number; askMs?: number } = {},
): Promise<Finding[]> {
  try {
    const { since } = await source.askForChecks();
    const until = performance.now() + waitMs;
    let view = await source.fleet();
    let late = lateOnes(view, since);
    while (late.length > 0 && performance.now() < until) {
      await delay(askMs);
      view = await source.fleet();
      late = lateOnes(view, since);
    }
    return [...fleetFindings(view), ...late.map(lateFinding)];
  } catch (error) {
    if (!(error instanceof DavitError))
      return finding('fleet', async () => {
        throw error;
      });
    return [serverFinding(error)];
  }
}

interface Late {
  name: string;
}

/** Machines that could have made their checks since, and have not told them yet. */
const lateOnes = ({ machines, now }: FleetView, since: number): Late[] =>
  machines.filter(({ report }) => report && mustCheck(report, now) && (report.checks?.at ?? 0) < since);

/** Workers of earlier versions make no checks. */
const mustCheck = (
  { startedAt, failed, away, seenAt, engine, targets }: WorkerReport,
  now: number,
): boolean =>
  startedAt !== undefined &&
  !failed &&
  !away &&
  now - seenAt < SILENT_MS &&
  (engine !== undefined || targets.length > 0);

const lateFinding = ({ name }: Late): Finding => ({
  ...warn(
    'checks',
    `${name} has not finished its checks in time; what is said of it may be old.`,
    'Run it again in a minute: a slow board, a busy engine or a registry behind a dead link makes them long.',
  ),
  machine: name,
});

const FAULTS_OF_SERVER: Readonly<Record<string, Fault>> = {
  'cli/no-server': 'server-unreachable',
  'local/not-up': 'server-unreachable',
  'temporal/unreachable': 'temporal-unreachable',
};

function serverFinding(error: DavitError): Finding {
  const fault =
    error.code === 'tls/untrusted' && isOfName(error.message)
      ? 'wrong-certificate-name'
      : FAULTS_OF_SERVER[error.code];
  return { ...fail('server', error.message, error.hint), code: error.code, ...(fault && { fault }) };
}
