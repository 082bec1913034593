/**
 * Faults of a fleet, each planted on a bed and taken back: the machine that has it, and the word that `davit doctor
 * --fleet --json` has for it.
 */
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault } from '../../../src/local/doctor/check.ts';
import { ROOT } from '../../support/source.ts';
import { cloneId } from './clone.ts';
import { openByTls, type Fleet } from './fleet.ts';
import { HOME } from './installation.ts';
import { Machine } from './machine.ts';
import { engineThatSays, runtimeWithoutEmulation } from './stand-ins.ts';
import { INSIDE } from './space.ts';

/** Disks with enough for davit: half a GiB and some more. */
export const SMALL_DISKS = {
  head: { folder: `${HOME}/data`, size: '640m' },
  small: { folder: Machine.engineFolder, size: '720m' },
};
const FILL = '260m';
const TEN_MINUTES_MS = 600_000;
const MAIN = join('src', 'cli', 'main.ts');

export interface Plant {
  fault: Fault;
  /** As in the issue of it. */
  what: string;
  /** Words of the finding. */
  says: RegExp;
  /** Resolves with what takes it back. */
  plant(fleet: Fleet): Promise<() => Promise<void>>;
}

/** A worker that cannot serve, until it is taken back. */
const badWorker =
  (args: (fleet: Fleet) => readonly string[], env?: Readonly<Record<string, string>>): Plant['plant'] =>
  async (fleet) => {
    const worker = await fleet.davit.anyWorker('bad', ['--arch', 'amd64', ...args(fleet)], {
      anyway: true,
      ...(env && { env }),
    });
    return () => worker.stop();
  };

/** A file that takes space. */
const fill =
  (machine: string, folder: string): Plant['plant'] =>
  async ({ bed }) => {
    const file = `${folder}/filled`;
    await bed.machine(machine).run('fallocate', '-l', FILL, file);
    return async () => void (await bed.machine(machine).run('rm', '-f', file));
  };

export const PLANTS: readonly Plant[] = [
  {
    fault: 'registry-unreachable',
    what: 'the registry is not reached from one engine',
    says: /davit\.example\.com:5000/,
    async plant({ bed }) {
      const rule = ['OUTPUT', '-p', 'tcp', '--dport', '5000', '-j', 'REJECT'] as const;
      await bed.machine('small').run('iptables', '-w', '-I', ...rule);
      return async () => void (await bed.machine('small').run('iptables', '-w', '-D', ...rule));
    },
  },
  {
    fault: 'wrong-architecture',
    what: 'the engine has another architecture',
    says: /arm64 only by emulation/,
    plant: async ({ davit, bed }) => {
      const args = ['--arch', 'arm64', '--docker', bed.machine('small').ssh];
      const worker = await davit.anyWorker('bad', args, { anyway: true });
      return () => worker.stop();
    },
  },
  {
    fault: 'emulation-missing',
    what: 'an architecture is not emulated any more',
    says: /cannot run arm64 now/,
    async plant({ davit, bed }) {
      const twin = bed.machine('twin');
      const emulation = await runtimeWithoutEmulation(twin);
      const args = ['--arch', 'arm64', '--docker', twin.ssh, '--emulation'];
      const worker = await davit.worker('emulating', args);
      await emulation.end();
      return async () => {
        await worker.stop();
        await emulation.begin();
      };
    },
  },
  {
    fault: 'disk-full',
    what: 'the disk of an engine is full',
    says: /free/,
    plant: fill('small', Machine.engineFolder),
  },
  {
    fault: 'no-log-space',
    what: 'there is no space for logs on the server',
    says: /logs/,
    plant: fill('head', `${HOME}/data`),
  },
  {
    fault: 'two-hosts-one-id',
    what: 'two machines have one id: a card was cloned',
    says: /same id|copy|cloned/i,
    async plant({ davit, bed }) {
      const [from, to] = [bed.machine('small'), bed.machine('twin')];
      const volume = await cloneId(from, to);
      const worker = await davit.anyWorker('bad', ['--arch', 'amd64', '--docker', to.ssh], { anyway: true });
      return async () => {
        await worker.stop();
        await to.run('docker', 'volume', 'rm', volume);
      };
    },
  },
  {
    fault: 'old-engine',
    what: 'an engine is too old',
    says: /19\.03/,
    async plant(fleet) {
      const address = await engineThatSays(fleet.bed.head, 'old-engine', { version: '19.03.15' });
      return badWorker(() => ['--docker', address])(fleet);
    },
  },
  {
    fault: 'wrong-token',
    what: 'a worker shows a wrong token',
    says: /wrong or revoked token/,
    async plant(fleet) {
      const file = `${INSIDE}/wrong-token`;
      await fleet.bed.head.write(file, 'f'.repeat(64), 0o600);
      return badWorker(() => [], { DAVIT_WORKER_TOKEN_FILE: file })(fleet);
    },
  },
  {
    fault: 'token-expired',
    what: 'the token of a worker has expired',
    says: /token of late has expired/,
    async plant(fleet) {
      const { davit, bed } = fleet;
      const asked = ['worker', 'token', 'create', 'late', '--expires-in', '1s', '--json'];
      const { token } = JSON.parse(await davit.done(asked)) as { token: string };
      const file = `${INSIDE}/late-token`;
      await bed.head.write(file, token, 0o600);
      const stop = await badWorker(() => [], { DAVIT_WORKER_TOKEN_FILE: file })(fleet);
      return async () => {
        await stop();
        await davit.done(['worker', 'token', 'revoke', 'late']);
      };
    },
  },
  {
    fault: 'wrong-certificate-name',
    what: 'the certificate of an engine is for another name',
    says: /./,
    async plant(fleet) {
      const engine = await openByTls(fleet.davit, fleet.bed.machine('twin'), 'elsewhere.example');
      return badWorker(() => ['--docker', engine.address], { DOCKER_CERT_PATH: engine.certPath })(fleet);
    },
  },
  {
    fault: 'mixed-versions',
    what: 'a worker has another version',
    says: /0\.0\.9/,
    async plant({ davit, bed }) {
      const tree = join(bed.head.space.folder, 'earlier');
      for (const part of ['package.json', 'src', 'workflows', 'activities', 'workers'])
        await cp(join(ROOT, part), join(tree, part), { recursive: true });
      await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
      const file = join(tree, 'package.json');
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace(/"version": "[^"]*"/, '"version": "0.0.9"'));
      const args = ['--arch', 'amd64', '--docker', bed.machine('twin').ssh];
      const worker = await davit.anyWorker('earlier', args, { main: `${INSIDE}/earlier/${MAIN}` });
      return () => worker.stop();
    },
  },
  {
    fault: 'node-down',
    what: 'a node of the swarm is down',
    says: /It is down/,
    async plant({ bed }) {
      await bed.lan.cable('twin', 'down');
      return () => bed.lan.cable('twin', 'up');
    },
  },
  {
    fault: 'temporal-unreachable',
    what: 'Temporal is away',
    says: /Temporal/,
    async plant({ davit }) {
      await davit.process('temporal').stop();
      return () => davit.startTemporal();
    },
  },
  {
    fault: 'server-unreachable',
    what: 'the server is away',
    says: /./,
    async plant({ davit }) {
      await davit.process('server').stop();
      return () => davit.startServer();
    },
  },
  {
    fault: 'clock',
    what: 'a clock is off by ten minutes',
    says: /clock of \w+ is 10 min/,
    async plant(fleet) {
      const says = { clockOffsetMs: TEN_MINUTES_MS };
      const address = await engineThatSays(fleet.bed.head, 'late-engine', says);
      return badWorker(() => ['--docker', address])(fleet);
    },
  },
];
