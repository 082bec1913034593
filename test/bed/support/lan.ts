/**
 * The network of the bed: a switch with a cable to each machine, in namespaces of its own. It leads nowhere else. The
 * switch is also the gateway, and an address of the "internet" on which a mirror of packages can listen.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startSpace, type Space } from './space.ts';

const command = promisify(execFile);

/** The third number of all addresses: none that docker or another test of davit uses. */
const NETWORK = '10.78.0';
const GATEWAY = `${NETWORK}.254`;
/** One of those that documentation uses. */
export const INTERNET = '203.0.113.10';

export interface Lan {
  space: Space;
  /** Connects a machine. Returns its address. */
  plug(machine: Space): Promise<string>;
  /** Serves a folder as http://INTERNET/. */
  serve(folder: string): Promise<void>;
  /** Pulls a machine's cable, or puts it back. */
  cable(machine: string, state: 'up' | 'down'): Promise<void>;
}

export async function startLan(folder: string): Promise<Lan> {
  const space = await startSpace({
    name: 'switch',
    folder: join(folder, 'switch'),
    setUp: [
      'ip link add wire type bridge',
      'ip link set wire up',
      `ip address add ${GATEWAY}/24 dev wire`,
      `ip address add ${INTERNET}/32 dev wire`,
    ],
  });
  let machines = 0;
  return {
    space,
    async plug(machine) {
      machines += 1;
      const address = `${NETWORK}.${machines}`;
      const port = portOf(machine.name);
      await space.run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0');
      // The other namespace is known by a process, whose number is the one outside.
      await command('nsenter', [
        ...['-t', String(space.pid), '-n', 'ip', 'link', 'set', 'eth0', 'netns', String(machine.pid)],
      ]);
      await space.run('ip', 'link', 'set', port, 'master', 'wire', 'up');
      await machine.run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await machine.run('ip', 'link', 'set', 'eth0', 'up');
      await machine.run('ip', 'route', 'add', 'default', 'via', GATEWAY);
      return address;
    },
    async serve(files) {
      const program = `
        const { createReadStream } = require('node:fs');
        require('node:http').createServer((request, reply) => {
          createReadStream(${JSON.stringify(files)} + '/' + decodeURIComponent(request.url).split('/').pop())
            .on('error', () => reply.writeHead(404).end()).pipe(reply);
        }).listen(80, '${INTERNET}');`;
      await space.start('mirror', [process.execPath, '-e', program]);
    },
    async cable(machine, state) {
      await space.run('ip', 'link', 'set', portOf(machine), state);
    },
  };
}

const portOf = (machine: string): string => `port-${machine}`.slice(0, 15);
