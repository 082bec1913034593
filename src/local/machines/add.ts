/**
 * `davit worker add`: makes a machine's engine one that this installation drives. It looks at the machine, has the server
 * make a token, and writes what the worker reads.
 *
 * Invariants:
 *  ADD-1 Nothing of a machine that does not fit stays: its token is revoked, and its files are as before.
 *  ADD-2 A second run changes only what it names, and says what that was. A token that works is kept.
 */
import { rm } from 'node:fs/promises';
import { dockerEngine } from '../../adapters/docker/index.ts';
import { parseEngineAddress } from '../../adapters/docker/connection/address.ts';
import { checkLogin } from '../../adapters/docker/connection/login.ts';
import type { EngineInfo } from '../../adapters/ports.ts';
import { pinnedHosts, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { Arch } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { MadeWorkerToken, WorkerTokenRequest } from '../../server/api.ts';
import { wireWorker, type WorkerPorts } from '../../wiring.ts';
import { ok, type Finding } from '../doctor/check.ts';
import { readIfThere, replaceFile } from '../process/files.ts';
import { trustOn } from '../setup/enable-registry.ts';
import { readSharedRegistry } from '../setup/shared-registry.ts';
import { engineFindings, machineFindings } from './checks.ts';
import { decideHostKey, pin } from './host-key.ts';
import {
  findMachine,
  listMachines,
  machinePaths,
  makeMachineFolder,
  removeMachine,
  writeMachine,
  type MachineRecord,
} from './record.ts';
import { settingsOf } from './run-machine.ts';
import { withWishes, type WorkerWishes } from './worker-file.ts';

/** What is asked for; what is undefined stays as it is. */
export interface AddRequest {
  name: string;
  docker?: string | undefined;
  certPath?: string | undefined;
  arches?: Arch[] | undefined;
  emulation?: boolean | undefined;
  target?: string | undefined;
  runs: MachineRecord['runs'];
  wishes: WorkerWishes;
  hostKey?: string | undefined;
}
/** What the server is asked. */
export interface AddServer {
  createWorkerToken(request: WorkerTokenRequest): Promise<MadeWorkerToken>;
  revokeWorkerTokens(of: { name: string; id: string }): Promise<unknown>;
  workers(): Promise<WorkerReport[]>;
}
export interface AddOptions {
  /** With the addresses of server and Temporal. */
  settings: Settings;
  server: AddServer;
  confirm?: ((text: string) => Promise<boolean>) | undefined;
  onFinding(finding: Finding): void;
  /** Writes what keeps its worker running; after everything else but the record. Returns what takes that back. */
  install?(record: MachineRecord): Promise<() => Promise<void>>;
  /** Starts it, after everything else. */
  start?(record: MachineRecord): Promise<Finding>;
}
export interface Added {
  record: MachineRecord;
  findings: Finding[];
  isNew: boolean;
  /** In words, since it was added before; empty: everything was as it is now. */
  changed: string[];
}

/** Rejects with the first failed check, or the coded error of a step; nothing is changed then. */
export async function addMachine(request: AddRequest, options: AddOptions): Promise<Added> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await new Addition(request, options, undo).run();
  } catch (error) {
    for (const back of undo.reverse())
      await back().catch((failed: unknown) =>
        options.onFinding({
          name: 'undo',
          verdict: 'warn',
          found: failed instanceof Error ? failed.message : String(failed),
          remedy: `Remove it with: davit worker token revoke ${request.name}`,
        }),
      );
    throw error;
  }
}

class Addition {
  readonly #request: AddRequest;
  readonly #options: AddOptions;
  readonly #undo: (() => Promise<unknown>)[];
  readonly #findings: Finding[] = [];

  constructor(request: AddRequest, options: AddOptions, undo: (() => Promise<unknown>)[]) {
    this.#request = request;
    this.#options = options;
    this.#undo = undo;
  }

  async run(): Promise<Added> {
    const { settings } = this.#options;
    const { name } = this.#request;
    const before = await findMachine(settings, name);
    const wanted = wantedRecord(this.#request, before);
    await this.#trust(wanted.docker);
    await this.#askEngine(wanted);
    await makeMachineFolder(settings, name);
    if (!before) this.#undo.push(() => removeMachine(settings, name));
    const config = await this.#writeConfig();
    const { token, ports, former } = await this.#token(wanted, before);
    const draft: MachineRecord = { ...wanted, token };
    const { hostId, info } = await this.#examine(draft, ports, before);
    const found: MachineRecord = { ...draft, hostId, hostName: info.hostName };
    const changed = [...changes(before, found), ...config];
    // A worker that runs as it should is not restarted.
    const record = before && changed.length === 0 ? { ...found, changedAt: before.changedAt } : found;
    const takeBack = await this.#options.install?.(record);
    if (takeBack) this.#undo.push(takeBack);
    if (before) this.#undo.push(() => writeMachine(settings, before));
    await writeMachine(settings, record);
    if (this.#options.start) this.#note(await this.#options.start(record));
    // The new one is stored: the former has no use any more.
    if (former !== undefined) await this.#options.server.revokeWorkerTokens({ name, id: former });
    return { record, findings: this.#findings, isNew: !before, changed };
  }

  #note(...findings: Finding[]): void {
    for (const finding of findings) {
      this.#findings.push(finding);
      this.#options.onFinding(finding);
    }
    const failed = findings.find(({ verdict }) => verdict === 'fail');
    if (!failed) return;
    const more = findings.filter(({ verdict }) => verdict === 'fail').length - 1;
    const rest = more > 0 ? ` More checks fail: ${more}.` : '';
    throw new DavitError(
      'machine/unfit',
      `${this.#request.name} cannot be added: ${failed.name} fails. ${failed.found}${rest}`,
      { hint: failed.remedy ?? '' },
    );
  }

  /** The host key, and a login without a prompt. */
  async #trust(docker: string | undefined): Promise<void> {
    if (docker === undefined) return;
    const { settings, confirm } = this.#options;
    const address = parseEngineAddress(docker, this.#request.certPath !== undefined);
    if (address.kind !== 'ssh') return;
    const question = { settings, address, shown: docker, expected: this.#request.hostKey, confirm };
    const { key, finding } = await decideHostKey(question);
    this.#note(finding);
    this.#undo.push(await pin(settings, address, key));
    await checkLogin({
      ...{ address, shown: docker, pinnedHosts: pinnedHosts(settings) },
      // A unit has no agent of a session.
      withoutAgent: this.#request.runs === 'systemd',
    });
    this.#note(ok('login', `as ${address.user ?? 'your user'}, without a prompt`));
  }

  /** What needs no right of a worker. */
  async #askEngine(wanted: MachineRecord): Promise<void> {
    const own = settingsOf(this.#options.settings, wanted);
    const engine = await dockerEngine({
      address: own.dockerHost,
      certPath: own.dockerCertPath,
      pinnedHosts: pinnedHosts(own),
    });
    try {
      this.#note(...engineFindings(await engine.info(), wanted));
    } finally {
      await engine.close();
    }
  }

  /** Says what of the file has changed. */
  async #writeConfig(): Promise<string[]> {
    const { config } = machinePaths(this.#options.settings, this.#request.name);
    const before = await readIfThere(config);
    const text = withWishes(before, this.#request.wishes, config);
    if (text === before) return [];
    if (before !== undefined) this.#undo.push(() => replaceFile(config, before, 0o600));
    await replaceFile(config, text, 0o600);
    return before === undefined ? [] : ['worker.yml'];
  }

  /** The one that it has, if it has the same limits and the server knows it; else a new one. */
  async #token(
    wanted: MachineRecord,
    before: MachineRecord | undefined,
  ): Promise<{ token: MachineRecord['token']; ports: WorkerPorts; former?: string }> {
    const { settings, server } = this.#options;
    const { name, token } = wanted;
    const path = machinePaths(settings, name).token;
    const known = await readIfThere(path);
    const same = before && JSON.stringify(before.token) === JSON.stringify(token);
    if (same && known !== undefined) {
      const ports = await wireWorker(settingsOf(settings, wanted)).catch((error: unknown) => {
        if (error instanceof DavitError && error.http === 401) return undefined; // it was revoked
        throw error;
      });
      if (ports) return { token, ports };
    }
    const { projects, protected_only, forks } = token;
    const made = await server.createWorkerToken({
      name,
      protected_only,
      forks,
      ...(projects && { projects }),
    });
    this.#undo.push(() => server.revokeWorkerTokens({ name, id: made.id }));
    await replaceFile(path, made.token, 0o600);
    this.#undo.push(() =>
      known === undefined ? rm(path, { force: true }) : replaceFile(path, known, 0o600),
    );
    const ports = await wireWorker(settingsOf(settings, wanted));
    return {
      token: { ...token, id: made.id },
      ports,
      ...(before && same === false && { former: before.token.id }),
    };
  }

  async #examine(
    draft: MachineRecord,
    ports: WorkerPorts,
    before: MachineRecord | undefined,
  ): Promise<{ hostId: string; info: EngineInfo }> {
    const { settings, server } = this.#options;
    const engine = await ports.engine(draft.docker);
    try {
      const [info, hostId] = await Promise.all([engine.info(), engine.hostId(ports.facts.installation)]);
      const [workers, machines] = await Promise.all([server.workers(), listMachines(settings)]);
      const { name, docker, arches } = draft;
      const others = machines.filter((one) => one.name !== name);
      const again = before?.hostId === hostId;
      const { path } = settings;
      const shared = docker === undefined ? undefined : await readSharedRegistry(settings);
      if (shared && docker !== undefined)
        await trustOn(settings, { name, address: docker, certPath: draft.certPath }, shared.host);
      this.#note(
        ...(await machineFindings({
          ...{ engine, info, ports, name, docker, arches, hostId, path, workers, others, again },
        })),
      );
      return { hostId, info };
    } finally {
      await engine.close();
    }
  }
}

/** The record of a machine with what is asked for. Pure. Throws `usage/invalid`. */
export function wantedRecord(request: AddRequest, before: MachineRecord | undefined): MachineRecord {
  const { name, docker, certPath, arches, emulation, target, runs, wishes } = request;
  const known: Omit<MachineRecord, 'name' | 'runs' | 'changedAt'> = before ?? EMPTY;
  const at = docker ?? known.docker;
  const record: MachineRecord = {
    ...known,
    name,
    docker: at,
    certPath: at?.startsWith('tcp:') ? (certPath ?? known.certPath) : undefined,
    arches: arches ?? known.arches,
    emulation: emulation ?? known.emulation,
    target: target ?? known.target,
    runs,
    token: {
      ...known.token,
      projects: wishes.projects ?? known.token.projects,
      protected_only: wishes.protected_only ?? known.token.protected_only,
      forks: wishes.forks ?? known.token.forks,
    },
    changedAt: Date.now(),
  };
  if (record.arches.length > 0 || record.target !== undefined) return record;
  throw new DavitError('usage/invalid', `Say what ${name} is for: --arch, --deploy, or both.`);
}

const EMPTY: Omit<MachineRecord, 'name' | 'runs' | 'changedAt'> = {
  arches: [],
  emulation: false,
  hostId: '',
  hostName: '',
  token: { id: '', protected_only: false, forks: false },
};

/** What a person sees after a second run. Pure. */
export function changes(before: MachineRecord | undefined, after: MachineRecord): string[] {
  if (!before) return [];
  const words = (value: unknown): string =>
    value === undefined ? 'none' : Array.isArray(value) ? value.join(', ') : String(value);
  const fields = ['docker', 'certPath', 'arches', 'emulation', 'target', 'runs', 'hostName'] as const;
  const own = fields.flatMap((field) =>
    words(before[field]) === words(after[field])
      ? []
      : [`${field}: ${words(before[field])}, now ${words(after[field])}`],
  );
  return before.token.id === after.token.id ? own : [...own, 'token: a new one; the former is revoked'];
}
