import { afterEach, expect, test } from 'vitest';
import type { ContainerCreate, ContainerState, Engine } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { installationSchema, workerSchema } from '../../../src/installation.ts';
import { egressRules, guardEgress, type EgressGuard } from '../../../workers/parts/egress.ts';

/** An engine on a machine whose firewall answers as it is told. */
class Machine {
  created: ContainerCreate[] = [];
  fails: DavitError | undefined;
  exitCode = 0;
  output = '\nnft\n';
  #break: (() => void) | undefined;

  engine = {
    listContainers: async () => [],
    createContainer: async (create: ContainerCreate) => {
      if (this.fails) throw this.fails;
      this.created.push(create);
      return 'id';
    },
    startContainer: async () => undefined,
    removeContainer: async () => undefined,
    waitContainer: async (): Promise<Pick<ContainerState, 'exitCode'>> => ({ exitCode: this.exitCode }),
    logs: () => this.#lines(),
    watch: async (signal: AbortSignal) => {
      const { promise: broken, resolve } = Promise.withResolvers<void>();
      this.#break = resolve;
      signal.addEventListener('abort', () => resolve());
      return { broken };
    },
  };
  /** The connection to the engine breaks. */
  restart(): void {
    this.#break?.();
  }
  async *#lines() {
    yield { stream: 'stdout', time: '', bytes: new TextEncoder().encode(this.output) };
  }
}
const config = { ...installationSchema.parse({}), helper_image: 'davit/helper:1' };
const facts = { installation: 'one', url: 'http://10.0.0.5:8420', config };

let guard: EgressGuard | undefined;
afterEach(() => guard?.stop());
function guarded(machine: Machine, worker: Record<string, unknown> = {}, more: object = {}): EgressGuard {
  const engine: Engine = Object.assign(Object.create(null), machine.engine);
  guard = guardEgress({
    engine,
    facts,
    config: workerSchema.parse(worker),
    ensureHelper: async () => undefined,
    ...more,
  });
  return guard;
}

test('the rules are set once, and jobs only look at the state', async () => {
  const machine = new Machine();
  const { problem } = guarded(machine);
  expect(await Promise.all([problem(), problem()])).toEqual([undefined, undefined]);
  const before = machine.created.length;
  expect(await problem()).toBeUndefined();
  expect(machine.created).toHaveLength(before);
  expect(machine.created[0]).toMatchObject({ firewall: true, noNewPrivileges: true });
});

test('after a broken connection no job runs before they are set again', async () => {
  const machine = new Machine();
  const { problem } = guarded(machine);
  await problem();
  await expect.poll(() => machine.created.length).toBeGreaterThan(0);
  machine.exitCode = 1;
  machine.output = 'There is no iptables.';
  machine.restart();
  await expect.poll(problem).toContain('There is no iptables');
});

test('an engine that is away is no state', async () => {
  const machine = new Machine();
  machine.fails = new DavitError('engine/unreachable', 'It is away.');
  const { problem } = guarded(machine);
  await expect(problem()).rejects.toMatchObject({ code: 'engine/unreachable' });
  machine.fails = undefined;
  expect(await problem()).toBeUndefined();
});

test('a helper image that is gone is brought back', async () => {
  const machine = new Machine();
  machine.fails = new DavitError('engine/image-missing', 'No such image.');
  let brought = 0;
  const ensureHelper = async (): Promise<void> => {
    brought += 1;
    machine.fails = undefined;
  };
  expect(await guarded(machine, {}, { ensureHelper }).problem()).toBeUndefined();
  expect(brought).toBeGreaterThan(0);
});

test('`unfiltered` takes the rules away, and is no problem where there are none', async () => {
  const machine = new Machine();
  machine.exitCode = 1;
  expect(await guarded(machine, { egress: 'unfiltered' }).problem()).toBeUndefined();
  expect(machine.created[0]?.command?.[0]).toBe('remove');
});

test('the server, the registries and what the file lists; never the loopback', async () => {
  const registries = [
    { host: '127.0.0.1:5000' },
    { host: '10.0.0.6', insecure: true },
    { host: '[fd00::6]:5000' },
  ];
  const all = {
    ...facts,
    url: 'https://10.0.0.5',
    config: { ...installationSchema.parse({ registries }), helper_image: 'davit/helper:1' },
  };
  const allow = [
    '10.1.0.0/16',
    '10.2.0.1:22',
    '[fd00::7]:443',
    'fd01::/64',
    'localhost:80',
    'no-such-name.invalid:1',
  ];
  const { reachable } = await egressRules(all, workerSchema.parse({ egress: { allow } }));
  expect(reachable).toEqual([
    { family: 4, address: '10.0.0.5', port: 443 },
    { family: 4, address: '10.0.0.6', port: 80 },
    { family: 6, address: 'fd00::6', port: 5000 },
    { family: 4, address: '10.1.0.0/16' },
    { family: 4, address: '10.2.0.1', port: 22 },
    { family: 6, address: 'fd00::7', port: 443 },
    { family: 6, address: 'fd01::/64' },
  ]);
});

test.each(['10.1.0.0/16:80', 'a b', 'http://x', ''])('"%s" is nothing that can be allowed', (entry) => {
  expect(workerSchema.safeParse({ egress: { allow: [entry] } }).success).toBe(false);
});
