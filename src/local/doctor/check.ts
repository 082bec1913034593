/** Findings of `davit doctor`. A check never rejects: an error becomes its finding. */
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';

/** ok · warn: works with restrictions · fail: something that davit needs is missing. */
export type Verdict = 'ok' | 'warn' | 'fail';

/** What is wrong in a fleet, for programs. */
export const FAULTS = [
  'registry-unreachable',
  'clock',
  'wrong-architecture',
  'emulation-missing',
  'disk-full',
  'two-hosts-one-id',
  'old-engine',
  'wrong-token',
  'token-expired',
  'wrong-certificate-name',
  'temporal-unreachable',
  'server-unreachable',
  'node-down',
  'mixed-versions',
  'no-log-space',
  'engine-away',
  'machine-gone',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Finding {
  /** `engine`, `architecture arm32`, `registry`… */
  name: string;
  verdict: Verdict;
  /** What was found, in one sentence. */
  found: string;
  /** What to do; always set unless the verdict is ok. */
  remedy?: string;
  /** The coded error behind it, if there is one. */
  code?: string;
  /** The machine that it is about, as `davit worker list` names it; absent: this one, or the installation. */
  machine?: string;
  fault?: Fault;
}

export const ok = (name: string, found: string): Finding => ({ name, verdict: 'ok', found });
export const warn = (name: string, found: string, remedy: string): Finding => ({
  name,
  verdict: 'warn',
  found,
  remedy,
});
export const fail = (name: string, found: string, remedy: string): Finding => ({
  name,
  verdict: 'fail',
  found,
  remedy,
});

/** Runs a check; an error becomes a failed finding with the error's remedy. */
export async function finding(name: string, check: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    if (error instanceof DavitError) return [{ ...fail(name, error.message, error.hint), code: error.code }];
    const why = messageOf(error);
    return [
      fail(
        name,
        why,
        'Start davit with `davit up` and run `davit doctor` again; the log of the process has details.',
      ),
    ];
  }
}
