/** A whole davit, each part a process; the harness controls every border between two of them. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '../../src/config.ts';
import { ensureKeys } from '../../src/local/setup/keys.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { freePort } from '../support/port.ts';
import { ROOT } from '../support/source.ts';
import { Border } from './border.ts';
import { Client, scope } from './client.ts';
import { writeConfig } from './config.ts';
import { makeHome, sweepDead } from './dead.ts';
import { endAll } from './end-all.ts';
import { type EngineOptions, OwnEngine } from './engine.ts';
import { forgeBehind, WorldForge } from './forge.ts';
import { makeRepository, moveHead } from './git.ts';
import { grpcProxy } from './grpc-proxy.ts';
import { healAll, healLane } from './heal.ts';
import { History, randomOf, type Random } from './history.ts';
import { httpProxy } from './http-proxy.ts';
import type { Proxy } from './listening.ts';
import { pushImage } from './image.ts';
import {
  argumentsOf,
  environmentOf,
  machineArguments,
  ONE,
  PARTS,
  type PartName,
  socketOf,
  SPARES,
} from './parts.ts';
import type { Shape } from './parts.ts';
import type { Profile } from './profile.ts';
import { Process } from './processes.ts';
import { Roads } from './ssh-road.ts';
import { makeTemporal, type DatabaseKind, type TemporalOf } from './temporal.ts';
import { argumentsFrom, changedTree, type Line, MAIN } from './tree.ts';
import { keysOf, treeOf } from './version-before.ts';
import { logWrites, restarted, targetEffects, watchContainers } from './watch.ts';

/** A process that rows kill and disconnect in parallel to those that touch another. */
export type Lane = 'arch' | 'deploy';
const HEAL_TRIES = 3;
const SKEW = join(ROOT, 'test', 'faults', 'skew.mjs');

export interface WorldOptions {
  /** Where Temporal stores: `sqlite` by default. */
  database?: DatabaseKind;
  /** `separate` by default. */
  shape?: Shape;
  /** Workers reach their engines over ssh. */
  fleet?: boolean;
  /** It begins with the sources of this commit; a process whose arguments are set back has this version. */
  before?: string;
}

export class World {
  readonly seed: number;
  readonly history = new History();
  readonly #random: Random;
  readonly profile: Profile;
  readonly home: string;
  readonly canary = `canary-${randomUUID()}`;
  readonly hookSecret = randomUUID();
  installation = '';
  engine!: OwnEngine;
  registry!: TestRegistry;
  /** Takes the commit statuses of the project `told`. */
  readonly forge = new WorldForge('gitea');
  /** `127.0.0.1:PORT` as seen by the engine and the workers. */
  registryHost = '';
  /** `HOST/table@sha256:…`: the image of deployments. */
  image = '';
  client!: Client;
  ports = { temporal: 0, server: 0 };
  readonly processes = {} as Record<'temporal' | PartName, Process>;
  readonly database: DatabaseKind;
  readonly shape: Shape;
  readonly #before: string | undefined;
  readonly fleet: boolean;
  #roads: Roads | undefined;
  #temporal: TemporalOf | undefined;
  /**
   * By client and server: `arch>temporal`, `arch>server`, `arch>engine`, `deploy>target`, `control>registry`,
   * …
   */
  readonly borders = new Map<string, Border>();
  readonly #proxies: Proxy[] = [];
  readonly #closing: (() => Promise<void> | void)[] = [];
  #rows = 0;

  private constructor(seed: number, profile: Profile, { database, shape, before, fleet }: WorldOptions) {
    this.seed = seed;
    this.shape = shape ?? 'separate';
    this.database = database ?? 'sqlite';
    this.#before = before;
    this.fleet = fleet ?? false;
    this.#random = randomOf(seed);
    this.profile = profile;
    this.home = makeHome();
  }

  static async start(seed: number, profile: Profile, options: WorldOptions = {}): Promise<World> {
    await sweepDead();
    const world = new World(seed, profile, options);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get random(): Random {
    return scope.getStore()?.random ?? this.#random;
  }
  border(name: string): Border {
    const found = this.borders.get(name);
    if (!found) throw new Error(`there is no border ${name}`);
    return found;
  }
  /** An unused project name. */
  project(row: number): string {
    this.#rows += 1;
    return `r${row}-${this.#rows}`;
  }

  /**
   * Restores everything: processes up, borders open. A process that does not start is retried, as its
   * supervisor would. With a lane, only the processes of that lane: others run at the same time.
   */
  async heal(lane?: Lane): Promise<void> {
    for (let tries = 1; ; tries++)
      try {
        return await (lane ? healLane(this, lane) : healAll(this));
      } catch (error) {
        if (tries === HEAL_TRIES) throw error;
      }
  }

  /** Restarts these processes with a changed line of their sources; without a change, as they were. */
  async runFrom(line: Line | undefined, names: readonly PartName[]): Promise<void> {
    const tree = line && changedTree(this.home, line);
    const change = tree === undefined ? undefined : argumentsFrom(tree);
    await Promise.all(names.map((name) => this.processes[name].again(change)));
  }

  /** PostgreSQL, where Temporal's database is a process of its own. */
  get postgres(): Process | undefined {
    return this.#temporal?.database;
  }
  /** Kills Temporal and its database at the same moment. */
  async temporalDies(): Promise<void> {
    await Promise.all([this.postgres?.end('SIGKILL'), this.processes.temporal.end('SIGKILL')]);
  }
  async temporalStarts(): Promise<void> {
    await this.postgres?.start();
    await this.processes.temporal.start();
  }
  /** Whether Temporal's database holds this text in a way that its files do not show. */
  async databaseHolds(text: string): Promise<boolean> {
    return (await this.#temporal?.holds?.(text)) ?? false;
  }

  async #start(): Promise<void> {
    mkdirSync(join(this.home, 'log'));
    const before = this.#before === undefined ? undefined : treeOf(this.#before, this.home);
    const settings = readSettings({ HOME: this.home, DAVIT_HOME: this.home });
    this.installation = before
      ? keysOf(before, this.home)
      : (await ensureKeys({ ...settings, home: this.home })).installation;
    const [engine, registry, temporal, server] = await Promise.all([
      OwnEngine.start('board', join(this.home, 'engine'), { swarm: true }),
      startRegistry(),
      freePort(),
      freePort(),
    ]);
    this.engine = engine;
    this.registry = registry;
    this.#closing.push(
      () => engine.stop(),
      () => registry.stop(),
    );
    this.ports = { temporal, server };
    const log = (name: string): string => this.#log(name);
    this.#temporal = await makeTemporal(this.database, {
      home: this.home,
      port: temporal,
      pollExpiry: this.profile.pollExpiry,
      log,
    });
    this.processes.temporal = this.#temporal.temporal;
    this.#closing.push(watchContainers(this.history, engine));
    await this.#makeBorders();
    this.#writeConfig();
    this.#makeProcesses(readSettings().cache);
    if (before)
      for (const name of [...PARTS, ...SPARES]) this.processes[name].withArgs(argumentsFrom(before));
    const token = readFileSync(join(this.home, 'keys', 'cli-token'), 'utf8').trim();
    this.client = new Client({
      server: `http://127.0.0.1:${server}`,
      token,
      history: this.history,
      profile: this.profile,
    });
    const [image] = await Promise.all([pushImage(engine, this.registryHost), this.heal()]);
    this.image = image;
  }

  async #makeBorders(): Promise<void> {
    const make = (name: string): Border => {
      const border = new Border(name);
      this.borders.set(name, border);
      return border;
    };
    const writes = logWrites(this.history);
    const one = this.shape === 'one-process';
    for (const part of one ? [ONE, ...SPARES] : [...PARTS, ...SPARES]) {
      const temporal = await freePort();
      this.#proxies.push(await grpcProxy(make(`${part}>temporal`), temporal, { port: this.ports.temporal }));
      this.#portOf.set(`${part}>temporal`, temporal);
      if (part === 'server') continue;
      const port = await freePort();
      const border = make(`${part}>server`);
      border.observers.push(writes);
      const listen = { host: '127.0.0.1', port };
      this.#proxies.push(await httpProxy(border, listen, { host: '127.0.0.1', port: this.ports.server }));
      this.#portOf.set(`${part}>server`, port);
    }
    // The one process uses one connection to Temporal and one to its own server, whichever part's name a row
    // uses to cut it.
    for (const part of one ? PARTS : [])
      for (const to of ['temporal', 'server']) this.borders.set(`${part}>${to}`, this.border(`${ONE}>${to}`));
    const upstream = { socketPath: this.engine.socket };
    const engines = { arch: upstream, arch2: upstream, board2: { socketPath: this.#boardSocket } };
    for (const [name, place] of Object.entries(engines))
      this.#proxies.push(await httpProxy(make(`${name}>engine`), { socketPath: this.socketOf(name) }, place));
    const target = make('deploy>target');
    target.observers.push(targetEffects(this.history));
    this.#proxies.push(await httpProxy(target, { socketPath: this.socketOf('target') }, upstream));
    const port = await freePort();
    this.registryHost = `127.0.0.1:${port}`;
    const [host = '', own = ''] = this.registry.host.split(':');
    const place = { host, port: Number(own) };
    this.#proxies.push(await httpProxy(make('control>registry'), { host: '127.0.0.1', port }, place));
    this.#proxies.push(await forgeBehind(this.forge, make('control>forge')));
    const socketPath = this.socketOf('registry');
    this.#proxies.push(await httpProxy(make('engine>registry'), { socketPath }, place));
    await this.engine.forward(port, socketPath);
    if (!this.fleet) return;
    const roads = await Roads.open(this.home, make);
    this.#closing.push(() => roads.close());
    this.#roads = roads;
    await roads.pave('board', this.engine);
  }
  /** The address of the engine behind a border. */
  #dockerOf(name: string): string {
    const socket = this.socketOf(name);
    return this.#roads?.address(name, socket) ?? `unix://${socket}`;
  }
  readonly #portOf = new Map<string, number>();
  #log(name: string): string {
    return join(this.home, 'log', `${name}.log`);
  }
  socketOf(name: string): string {
    return socketOf(this.home, name);
  }

  #writeConfig(): void {
    const repository = join(this.home, 'repository');
    this.commits = makeRepository(repository, this.profile);
    const { home, profile, hookSecret, registryHost } = this;
    writeConfig({
      home,
      profile,
      hookSecret,
      registryHost,
      repository,
      forgeUrl: this.forge.address,
      target: this.#dockerOf('target'),
    });
  }

  /** Commits of the forge's repository, oldest first. */
  commits: string[] = [];

  #makeProcesses(cache: string): void {
    const dockerOf = (name: string): string => this.#dockerOf(name);
    const own = argumentsOf(this.home, this.ports.server, dockerOf);
    for (const name of [...PARTS, ...SPARES]) {
      const one = this.shape === 'one-process' && PARTS.some((part) => part === name);
      if (one && name !== ONE) continue;
      const env = this.environment(name, cache);
      this.processes[name] = new Process({
        name,
        program: process.execPath,
        args: [
          ...['--import', SKEW, join(ROOT, MAIN)],
          ...(one ? machineArguments(this.home, this.ports.server, dockerOf) : own[name]),
        ],
        env,
        log: this.#log(name),
      });
    }
    if (this.shape === 'one-process') for (const name of PARTS) this.processes[name] = this.processes[ONE];
  }

  environment(name: PartName, cache = readSettings().cache): NodeJS.ProcessEnv {
    return environmentOf({
      ...{ home: this.home, cache, canary: this.canary, clock: this.#clockOf(name), ssh: this.#roads?.path },
      server: this.#portOf.get(`${name}>server`) ?? this.ports.server,
      temporal: this.#portOf.get(`${name}>temporal`),
    });
  }

  /** Clients reach the restarted engine only after the history has the containers that ended with it. */
  async restartEngine(engine: OwnEngine, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const users =
      engine === this.engine ? ['arch>engine', 'arch2>engine', 'deploy>target'] : ['board2>engine'];
    await restarted(engine, signal, {
      history: this.history,
      borders: users.map((name) => this.border(name)),
    });
  }

  #clockOf(name: PartName): string {
    return join(this.home, `${name}.clock`);
  }
  /** Shifts the clock of this process by this number of ms; 0 restores it. Its timers are not affected. */
  skew(name: PartName, ms: number): void {
    writeFileSync(this.#clockOf(name), String(ms));
    const { running, pid } = this.processes[name];
    if (running) process.kill(pid, 'SIGUSR2');
  }

  /** The engine of a second machine, if there is one. Its containers outlive a restart of it. */
  board: OwnEngine | undefined;
  #unwatch: (() => void) | undefined;
  get #boardSocket(): string {
    return join(this.home, 'live', 'docker.sock');
  }
  /** A second machine, with a worker for jobs with the tag `live`, or with none. */
  async addBoard(options: Partial<EngineOptions> = {}): Promise<OwnEngine> {
    const board = await OwnEngine.start('live', join(this.home, 'live'), {
      swarm: false,
      liveRestore: true,
      ...options,
    });
    this.board = board;
    await board.forward(Number(this.registryHost.split(':')[1]), this.socketOf('registry'));
    this.#unwatch = watchContainers(this.history, board);
    await this.#roads?.pave('live', board);
    await this.processes.board2.start();
    return board;
  }
  async removeBoard(): Promise<void> {
    const { board } = this;
    if (!board) return;
    this.board = undefined;
    await this.processes.board2.end('SIGKILL');
    this.#unwatch?.();
    await board.stop();
  }

  /** The next push to the forge, without a delivery: its branch exists from now on. */
  nextPush(): { before: string; after: string; secret: string } {
    this.#pushes += 1;
    const { before, after } = moveHead(join(this.home, 'repository'), this.commits, this.#pushes);
    return { before, after, secret: this.hookSecret };
  }
  #pushes = 0;
  get pushesLeft(): number {
    return this.commits.length - this.#pushes - 1;
  }

  /** Ends all parts and removes the folder even if one fails; the first failure is reported. */
  async close(): Promise<void> {
    const ends = [
      () => this.removeBoard(),
      ...Object.values(this.processes).map((process) => () => process.end('SIGKILL')),
      () => this.postgres?.end('SIGKILL'),
      ...this.#proxies.map((proxy) => () => proxy.close()),
      ...this.#closing.reverse(),
      () => rmSync(this.home, { recursive: true, force: true, maxRetries: 5 }),
    ];
    await endAll(ends);
  }
}
