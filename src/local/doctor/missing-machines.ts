/** Machines that do not report, and callers that the server refuses: each may be the other. Pure. */
import type { FleetMachine, FleetView, RefusedCall } from '../../server/api.ts';
import { durationText } from '../../utils/duration.ts';
import { fail, warn, type Finding } from './check.ts';

const at = (time: number): string => `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

export function missingFindings({ machines, refused, now }: FleetView): Finding[] {
  return [
    ...machines.flatMap((machine) => goneFindings(machine, now)),
    ...refused.map((call) => refusedFinding(call, suspects(machines))),
  ];
}

const suspects = (machines: readonly FleetMachine[]): string[] =>
  machines
    .filter(({ state, hasToken }) => hasToken && (state === 'gone' || state === 'never seen'))
    .map(({ name }) => name);

function goneFindings({ name, state, seen, hasToken }: FleetMachine, now: number): Finding[] {
  const look = `On that machine, davit doctor names the cause: with DAVIT_SERVER, TEMPORAL_ADDRESS and DAVIT_WORKER_TOKEN_FILE as its worker has them. \`systemctl status davit-worker@${name}\` shows its worker. If it is not used any more: davit worker remove ${name}`;
  if (state === 'never seen')
    return [
      {
        ...warn('worker', `${name} has a token, and no worker with it has reported yet.`, look),
        machine: name,
        fault: 'machine-gone',
      },
    ];
  if (state !== 'gone' || !seen) return [];
  const text = `${name} (${seen.hostName}) has not been seen since ${at(seen.seenAt)}, ${durationText(Math.max(1_000, now - seen.seenAt))} ago.`;
  // Without a token of its own it belongs to nobody who could be asked.
  return [{ ...(hasToken ? fail : warn)('worker', text, look), machine: name, fault: 'machine-gone' }];
}

function refusedFinding(
  { from, why, name, times, first, last }: RefusedCall,
  missing: readonly string[],
): Finding {
  const often = `${times} ${times === 1 ? 'time' : 'times'} between ${at(first)} and ${at(last)}`;
  if (why === 'expired' && name !== undefined)
    return {
      ...fail(
        'token',
        `The token of ${name} has expired: the server has refused it ${often}, from ${from}.`,
        `davit worker token create ${name}, put the new token into the file DAVIT_WORKER_TOKEN_FILE of that machine, and restart its worker.`,
      ),
      machine: name,
      fault: 'token-expired',
    };
  const whose =
    missing.length > 0 ? ` Machines that have a token and do not report: ${missing.join(', ')}.` : '';
  return {
    ...fail(
      'token',
      `The server has refused a wrong or revoked token of a worker ${often}, from ${from}.${whose}`,
      `On the machine with that address: compare the file DAVIT_WORKER_TOKEN_FILE with what \`davit worker token create NAME\` prints; a new token is made by it, and the former one is revoked with \`davit worker token revoke NAME --id ID\`.`,
    ),
    ...(missing.length === 1 && missing[0] !== undefined && { machine: missing[0] }),
    fault: 'wrong-token',
  };
}
