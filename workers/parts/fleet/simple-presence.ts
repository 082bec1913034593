/** What a worker without an engine of its own is for the rest of the installation: a control worker, or one of a deploy target. */
import type { MachineChecks } from '../../../src/plan/model/fleet.ts';
import type { WorkerPorts } from '../../../src/wiring.ts';
import { Gate } from './gate.ts';
import { PeriodicChecks } from './periodic-checks.ts';
import { Presence, type Report } from './presence.ts';
import { RunningJobs } from './running-jobs.ts';

export interface SimplePresenceOptions {
  ports: Pick<WorkerPorts, 'fleet' | 'now'>;
  /** What does not change. */
  report: Report;
  /** Never rejects. */
  check?(): Promise<MachineChecks>;
}

export class SimplePresence {
  readonly gate = new Gate();
  readonly jobs = new RunningJobs();
  readonly #presence: Presence;
  readonly #checks: PeriodicChecks | undefined;

  constructor({ ports, report, check }: SimplePresenceOptions) {
    const startedAt = ports.now();
    this.#checks =
      check && new PeriodicChecks({ check, isThere: () => true, onChange: () => this.#presence.tell() });
    this.#presence = new Presence({
      fleet: ports.fleet,
      report: () => ({
        ...report,
        startedAt,
        running: this.jobs.list(),
        ...(this.#checks?.latest && { checks: this.#checks.latest }),
      }),
      onAnswer: ({ draining, checksSince }) => {
        if (draining) this.gate.close('drain', `${report.hostName} takes no further jobs.`);
        else this.gate.open('drain');
        this.#checks?.ask(checksSince);
      },
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#presence.stop(), this.#checks?.stop()]);
  }
}
