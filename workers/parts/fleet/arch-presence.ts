/**
 * What a worker of one engine is for the rest of the installation: it reports itself and its machine, takes jobs only while its
 * engine is there and no operator has said otherwise, and serves no engine whose id another machine has.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, EngineInfo } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { FleetAnswer, Marks } from '../../../src/plan/model/fleet.ts';
import type { WorkerPorts } from '../../../src/wiring.ts';
import type { BuildCacheWatch } from '../build-cache.ts';
import { claimHost, twin } from './claim-host.ts';
import { EngineWatch } from './engine-watch.ts';
import { Gate } from './gate.ts';
import { checkMachine, engineFacts } from './machine-checks.ts';
import { HostMarks } from './marks.ts';
import { PeriodicChecks } from './periodic-checks.ts';
import { Presence, type Report } from './presence.ts';
import { RunningJobs } from './running-jobs.ts';

const DRAIN = 'drain';
const MARKS_MS = 4_000;

export interface ArchPresenceOptions {
  ports: Pick<WorkerPorts, 'fleet' | 'facts' | 'now'>;
  engine: Engine;
  ensureHelper(): Promise<void>;
  /** Rejects with `temporal/unreachable`. */
  askTemporal(): Promise<void>;
  /** What does not change. */
  report: Report;
  buildCache: Pick<BuildCacheWatch, 'report'>;
  log(text: string): void;
}

export class ArchPresence {
  readonly gate = new Gate();
  readonly jobs: RunningJobs;
  readonly #options: ArchPresenceOptions;
  readonly #startedAt: number;
  readonly #watch: EngineWatch;
  readonly #marks: HostMarks;
  #info: EngineInfo;
  #presence: Presence | undefined;
  #checks: PeriodicChecks | undefined;

  private constructor(options: ArchPresenceOptions, found: { info: EngineInfo; marks: HostMarks }) {
    this.#options = options;
    this.#startedAt = options.ports.now();
    this.#marks = found.marks;
    this.#info = found.info;
    this.#watch = new EngineWatch({
      engine: options.engine,
      gate: this.gate,
      hostName: options.report.hostName,
      now: () => options.ports.now(),
      log: options.log,
      onBack: () => this.#mustBeTheSame(),
      onChange: () => this.#presence?.tell(),
    });
    this.jobs = new RunningJobs(this.#watch.suspect);
  }

  /** Resolves when the server has accepted the engine's id. Rejects with `worker/twin`, `engine/*`. */
  static async claim(options: ArchPresenceOptions, signal?: AbortSignal): Promise<ArchPresence> {
    const { engine, ports, log } = options;
    const { installation } = ports.facts;
    const info = await engine.info();
    const marks = await HostMarks.leave({ engine, installation, address: info.address });
    const presence = new ArchPresence(options, { info, marks });
    const report = async (): Promise<Report> => ({ ...presence.#report(), marks: await marks.read() });
    presence.#follow(await claimHost({ fleet: ports.fleet, report, log, signal }));
    await marks.sweep();
    return presence;
  }

  /** Reports, checks and watches until `stop`. Rejects if the worker must not go on. */
  async run(): Promise<void> {
    const { ports } = this.#options;
    this.#checks = new PeriodicChecks({
      check: () => this.#check(),
      isThere: () => this.#watch.away === undefined,
      onChange: () => this.#presence?.tell(),
    });
    this.#presence = new Presence({
      fleet: ports.fleet,
      report: async () => ({ ...this.#report(), ...(await this.#marksNow()) }),
      onAnswer: (answer) => this.#follow(answer),
    });
    await Promise.all([this.#watch.run(), this.#presence.ended]);
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    await Promise.all([this.#presence?.stop(), this.#checks?.stop()]);
  }

  #report(): Report {
    const away = this.#watch.away;
    const checks = this.#checks?.latest;
    const buildCache = this.#options.buildCache.report();
    return {
      ...this.#options.report,
      ...(buildCache && { buildCache }),
      startedAt: this.#startedAt,
      running: this.jobs.list(),
      engine: engineFacts(this.#info),
      ...(away && { away }),
      ...(checks && { checks }),
    };
  }

  /** Without them if the engine does not tell them at once: the report is due. */
  async #marksNow(): Promise<{ marks?: Marks }> {
    if (this.#watch.away) return {};
    const over = new AbortController();
    const late = delay(MARKS_MS, undefined, { signal: over.signal }).catch(() => undefined); // read in time
    try {
      const marks = await Promise.race([this.#marks.read(), late]);
      return marks ? { marks } : {};
    } catch (error) {
      this.#watch.suspect(error);
      return {};
    } finally {
      over.abort();
    }
  }

  #follow({ draining, refused, checksSince }: FleetAnswer): void {
    const { hostName } = this.#options.report;
    if (refused) throw twin(refused);
    const was = this.gate.why;
    if (draining) this.gate.close(DRAIN, `${hostName} takes no further jobs.`);
    else this.gate.open(DRAIN);
    if (was !== this.gate.why) this.#options.log(this.gate.why ?? 'takes jobs again');
    this.#checks?.ask(checksSince);
  }

  async #check(): ReturnType<typeof checkMachine> {
    const { engine, ensureHelper, askTemporal, ports, report } = this.#options;
    const { installation, config } = ports.facts;
    return checkMachine({
      engine,
      installation,
      helperImage: config.helper_image,
      ensureHelper,
      askTemporal,
      registries: config.registries.map(({ host }) => host),
      foreign: report.arches.filter((arch) => arch !== this.#info.arch),
      now: () => ports.now(),
    });
  }

  /** After the engine was away: what is there now may be another one. */
  async #mustBeTheSame(): Promise<void> {
    const { engine, ports, report } = this.#options;
    const [info, hostId] = await Promise.all([engine.info(), engine.hostId(ports.facts.installation)]);
    if (hostId !== report.hostId || !(await this.#marks.isHere()))
      throw new DavitError(
        'engine/replaced',
        `Another engine than before responds at ${info.address} (${info.hostName}).`,
      );
    this.#info = info;
  }
}
